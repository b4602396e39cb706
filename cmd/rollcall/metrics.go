package main

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"rollcall/scheduler"
	"rollcall/scheduler/mesos"
)

// schedulerCollector tells Prometheus of the scheduler's state, as it is when it is asked; of nothing while another
// rollcall leads.
type schedulerCollector struct {
	current                                         func() *scheduling // nil while another rollcall leads
	apps, instances, deployments, agents, connected *prometheus.Desc
	waiting, unhealthy, delayed, delay              *prometheus.Desc
	breakers, lost, docker                          *prometheus.Desc
}

var _ prometheus.Collector = (*schedulerCollector)(nil)

func newSchedulerCollector(current func() *scheduling) *schedulerCollector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("rollcall_scheduler_"+name, help, labels, nil)
	}
	return &schedulerCollector{
		current:     current,
		apps:        desc("apps", "Apps that are defined."),
		instances:   desc("instances", "Instances, by condition.", "condition"),
		deployments: desc("deployments", "Deployments that are under way."),
		agents:      desc("agents", "Agents that have made offers."),
		breakers:    desc("health_breakers_open", "Apps that are not killed for their health because most of them turned unhealthy at once; the cluster as a whole counts as one."),
		lost:        desc("agents_lost", "Agents that were lost at once, while the replacement of their tasks waits for a word; 0: it does not."),
		waiting:     desc("instances_waiting", "Instances that wait to be started, for an offer that fits or for a delay to end."),
		unhealthy:   desc("instances_unhealthy", "Running instances whose health checks fail."),
		delayed:     desc("apps_delayed", "Apps that are not started for a while, since their tasks failed."),
		delay:       desc("delay_seconds", "The longest time for which an app is still not started, since its tasks failed."),
		docker:      prometheus.NewDesc("rollcall_engine_docker_up", "1 when containers can be run on this machine, else 0.", nil, nil),
		connected:   desc("engine_connected", "1 when the engine may be used, else 0."),
	}
}

// Describe implements prometheus.Collector.
func (c *schedulerCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.apps, c.instances, c.deployments, c.agents, c.connected, c.breakers,
		c.waiting, c.unhealthy, c.delayed, c.delay, c.lost, c.docker} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *schedulerCollector) Collect(out chan<- prometheus.Metric) {
	now := c.current()
	if now == nil {
		return
	}
	s := now.loop.State()
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	apps, deployments, agents := 0, 0, 0
	for range s.Apps() {
		apps++
	}
	for range s.Deployments() {
		deployments++
	}
	for range s.Agents() {
		agents++
	}
	instances := map[scheduler.Condition]int{}
	for _, condition := range conditions {
		instances[condition] = 0
	}
	unhealthy, waiting, delayed, delay := 0, 0, 0, time.Duration(0)
	for i := range s.AllInstances() {
		instances[i.Condition]++
		if h := i.Healthy(); i.Condition == scheduler.Running && h != nil && !*h {
			unhealthy++
		}
	}
	for q := range s.Queue(time.Now()) {
		waiting += q.Count
		if q.Delay > 0 {
			delayed++
			delay = max(delay, q.Delay)
		}
	}
	gauge(c.waiting, float64(waiting))
	gauge(c.unhealthy, float64(unhealthy))
	gauge(c.delayed, float64(delayed))
	gauge(c.delay, delay.Seconds())
	gauge(c.apps, float64(apps))
	gauge(c.deployments, float64(deployments))
	gauge(c.agents, float64(agents))
	for condition, count := range instances {
		gauge(c.instances, float64(count), string(condition))
	}
	gauge(c.connected, oneIf(s.Connected))
	if now.docker != nil {
		gauge(c.docker, oneIf(now.docker() == ""))
	}
	breakers := 0
	for range s.Breakers() {
		breakers++
	}
	gauge(c.breakers, float64(breakers))
	gauge(c.lost, float64(s.Braked()))
}

// conditions are told of also while no instance has them.
var conditions = []scheduler.Condition{scheduler.Scheduled, scheduler.Provisioned, scheduler.Staging, scheduler.Starting,
	scheduler.Running, scheduler.Killing, scheduler.Unreachable, scheduler.UnreachableInactive, scheduler.Finished, scheduler.Failed}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// mesosCollector tells Prometheus how old the state of the Mesos cluster is.
type mesosCollector struct {
	status          func() mesos.Status
	age, up, broken *prometheus.Desc
}

var _ prometheus.Collector = (*mesosCollector)(nil)

func newMesosCollector(status func() mesos.Status) *mesosCollector {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("rollcall_mesos_"+name, help, nil, nil)
	}
	return &mesosCollector{
		status: status,
		age:    desc("state_age_seconds", "Time since the state of the cluster was read; absent before the first time."),
		up:     desc("state_up", "1 when the last try to read the state of the cluster succeeded, else 0."),
		broken: desc("state_broken_items", "Items of the state of the cluster that could not be read."),
	}
}

// Describe implements prometheus.Collector.
func (c *mesosCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.age, c.up, c.broken} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *mesosCollector) Collect(out chan<- prometheus.Metric) {
	s := c.status()
	gauge := func(d *prometheus.Desc, value float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value)
	}
	gauge(c.up, oneIf(s.Err == nil))
	gauge(c.broken, float64(s.Broken.Count))
	if !s.Read.IsZero() {
		gauge(c.age, time.Since(s.Read).Seconds())
	}
}
