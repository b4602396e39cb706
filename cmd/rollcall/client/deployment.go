package client

import (
	"context"
	"net/url"
)

// Deployment is a change of apps that is under way.
type Deployment struct {
	ID             string   `json:"id"`
	Version        string   `json:"version"`
	AffectedApps   []string `json:"affectedApps"`
	CurrentStep    int      `json:"currentStep"` // from 1
	TotalSteps     int      `json:"totalSteps"`
	CurrentActions []Action `json:"currentActions"`
}

// Action is a part of a deployment's present step. How far it is, rollcall tells when it is asked to, a Marathon does not.
type Action struct {
	Action    string `json:"action"`
	App       string `json:"app"`
	Done      bool   `json:"done"`
	Reason    string `json:"reason"` // what it waits for, "" when that is not known
	Instances []struct {
		Done bool `json:"done"`
	} `json:"instances"`
}

// EmbedProgress is the query that asks how far the actions of deployments are.
func EmbedProgress() url.Values { return url.Values{"embed": {"progress"}} }

// Deployments lists those that are under way.
func (c *Client) Deployments(ctx context.Context) ([]Deployment, error) {
	var all []Deployment
	err := c.Get(ctx, "/v2/deployments", nil, &all)
	return all, err
}

// QueueItem is an app with instances that wait to be started.
type QueueItem struct {
	App struct {
		ID string `json:"id"`
	} `json:"app"`
	Count int `json:"count"`
	Delay struct {
		TimeLeftSeconds int  `json:"timeLeftSeconds"`
		Overdue         bool `json:"overdue"`
	} `json:"delay"`
	Summary struct {
		Processed int `json:"processedOffersCount"`
		Last      []struct {
			Reason   string `json:"reason"`
			Declined int    `json:"declined"`
		} `json:"rejectSummaryLastOffers"`
	} `json:"processedOffersSummary"`
	LastUnusedOffers []struct {
		Offer struct {
			Hostname string `json:"hostname"`
		} `json:"offer"`
		Reason      []string `json:"reason"`
		Explanation []string `json:"explanation"` // of each reason; a Marathon has none
	} `json:"lastUnusedOffers"`
}

// Queue lists the apps with instances that wait, and with the offers that were refused.
func (c *Client) Queue(ctx context.Context) ([]QueueItem, error) {
	var answer struct{ Queue []QueueItem }
	err := c.Get(ctx, "/v2/queue", url.Values{"embed": {"lastUnusedOffers"}}, &answer)
	return answer.Queue, err
}
