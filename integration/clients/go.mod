module rollcall/integration/clients

go 1.26.0

require github.com/gambol99/go-marathon v0.0.0-20180614232016-99a156b96fb2

require (
	github.com/donovanhide/eventsource v0.0.0-20210830082556-c59027999da0 // indirect
	github.com/google/go-querystring v1.2.0 // indirect
	github.com/stretchr/testify v1.12.1 // indirect
	gopkg.in/yaml.v2 v2.4.0 // indirect
)
