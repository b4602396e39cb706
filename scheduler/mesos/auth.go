package mesos

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Authenticator proves to a master who sends a request.
type Authenticator interface {
	// Authenticate adds what is needed to a request. It may take until ctx ends.
	Authenticate(ctx context.Context, r *http.Request) error
}

// BasicAuth sends a principal and its secret with each request (RFC 7617).
type BasicAuth struct{ Principal, Secret string }

// Authenticate implements Authenticator.
func (a BasicAuth) Authenticate(_ context.Context, r *http.Request) error {
	r.SetBasicAuth(a.Principal, a.Secret)
	return nil
}

// tokenLife is for how long a login is asked for, as Mesos-DNS asks.
const tokenLife = time.Hour

// loginTimeout is how long a login may take.
const loginTimeout = 30 * time.Second

// IAM logs in to the identity service of DC/OS and sends the token that it gets. It logs in for each request, since
// how long a token is good for is the service's own affair.
type IAM struct {
	uid, endpoint string
	key           *rsa.PrivateKey
	http          *http.Client
	now           func() time.Time
}

// NewIAM returns the service account uid with its private RSA key, in PEM form. Logins go to the endpoint, an http or
// https URL, through the transport.
func NewIAM(uid, privateKey, endpoint string, transport http.RoundTripper) (*IAM, error) {
	key, err := parseRSAKey([]byte(privateKey))
	if err != nil {
		return nil, fmt.Errorf("reading the private key of %q: %w", uid, err)
	}
	return &IAM{uid: uid, endpoint: endpoint, key: key, now: time.Now,
		http: &http.Client{Transport: transport, Timeout: loginTimeout}}, nil
}

func parseRSAKey(text []byte) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("it is not in PEM form")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("it is a %T; an RSA key is needed", parsed)
	}
	return key, nil
}

// Authenticate implements Authenticator.
func (a *IAM) Authenticate(ctx context.Context, r *http.Request) error {
	token, err := a.login(ctx)
	if err != nil {
		return fmt.Errorf("logging in to %s: %w", a.endpoint, err)
	}
	r.Header.Set("Authorization", "token="+token)
	return nil
}

func (a *IAM) login(ctx context.Context) (string, error) {
	signed, err := a.token()
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(map[string]string{"uid": a.uid, "token": signed})
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.endpoint, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", userAgent)
	response, err := a.http.Do(request)
	if err != nil {
		return "", err
	}
	defer drain(response)
	if response.StatusCode != http.StatusOK {
		return "", statusError(response)
	}
	var answer struct{ Token string }
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&answer); err != nil {
		return "", fmt.Errorf("reading its answer: %w", err)
	}
	if answer.Token == "" {
		return "", errors.New("its answer has no token")
	}
	return answer.Token, nil
}

// token makes the JSON Web Token that proves who logs in (RFC 7519, RFC 7515: RS256).
func (a *IAM) token() (string, error) {
	claims, err := json.Marshal(struct {
		Exp int64  `json:"exp"`
		UID string `json:"uid"`
	}{a.now().Add(tokenLife).Unix(), a.uid})
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode(claims)
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, a.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("signing: %w", err)
	}
	return signed + "." + encode(signature), nil
}
