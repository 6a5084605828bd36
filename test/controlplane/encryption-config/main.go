// Says of each EncryptionConfiguration what kube-apiserver makes of it: its files are
// the arguments, or one a line on stdin with "-", and a line of JSON answers each.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/apis/apiserver"
	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
	"k8s.io/apiserver/pkg/features"
	"k8s.io/apiserver/pkg/server/options/encryptionconfig"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/klog/v2"
	"k8s.io/kms/pkg/service"
	"k8s.io/kms/pkg/util"
)

type answer struct {
	File string `json:"file"`
	// The error of LoadEncryptionConfig without automatic reload, and with it; empty if it takes the file.
	Refused       string `json:"refused,omitempty"`
	RefusedReload string `json:"refusedReload,omitempty"`
	// What validation finds wrong, a field and a sentence each.
	Faults []fault `json:"faults,omitempty"`
	Rules  []rule  `json:"rules,omitempty"`
}

type fault struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

type rule struct {
	Resources []resource `json:"resources"`
	Providers []provider `json:"providers"`
}

type resource struct {
	Group    string `json:"group"`
	Resource string `json:"resource"`
}

type provider struct {
	Kind       string   `json:"kind"`
	KeyNames   []string `json:"keyNames,omitempty"`
	APIVersion string   `json:"apiVersion,omitempty"`
	Name       string   `json:"name,omitempty"`
	Endpoint   string   `json:"endpoint,omitempty"`
	Socket     string   `json:"socket,omitempty"`
	Nanosecond int64    `json:"nanoseconds,omitempty"`
}

var codecs serializer.CodecFactory

func main() {
	klog.InitFlags(nil)
	must(flag.Set("logtostderr", "false"))
	must(flag.Set("stderrthreshold", "FATAL"))
	klog.SetOutput(io.Discard)
	scheme := runtime.NewScheme()
	must(apiserver.AddToScheme(scheme))
	must(apiserverv1.AddToScheme(scheme))
	codecs = serializer.NewCodecFactory(scheme, serializer.EnableStrict)
	// An operator of KMS v1 has opened this gate.
	must(utilfeature.DefaultMutableFeatureGate.Set(string(features.KMSv1) + "=true"))
	beSilentPlugins()
	flag.Parse()
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for _, file := range files() {
		must(out.Encode(ask(file)))
	}
}

func files() []string {
	if flag.NArg() != 1 || flag.Arg(0) != "-" {
		return flag.Args()
	}
	var names []string
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		names = append(names, lines.Text())
	}
	return names
}

func ask(file string) answer {
	result := answer{File: file, Refused: load(file, false), RefusedReload: load(file, true)}
	data, err := os.ReadFile(file)
	must(err)
	object, _, err := codecs.UniversalDecoder().Decode(data, nil, nil)
	config, ok := object.(*apiserver.EncryptionConfiguration)
	if err != nil || !ok || config == nil {
		return result
	}
	for _, one := range validation.ValidateEncryptionConfiguration(config, false) {
		result.Faults = append(result.Faults, fault{one.Field, one.Detail})
	}
	if result.Refused == "" {
		for _, entry := range config.Resources {
			result.Rules = append(result.Rules, ruleOf(entry))
		}
	}
	return result
}

func load(file string, reload bool) string {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if _, err := encryptionconfig.LoadEncryptionConfig(ctx, file, reload, "oracle"); err != nil {
		return err.Error()
	}
	return ""
}

func ruleOf(entry apiserver.ResourceConfiguration) rule {
	result := rule{}
	for _, text := range entry.Resources {
		gr := schema.ParseGroupResource(text)
		result.Resources = append(result.Resources, resource{gr.Group, gr.Resource})
	}
	for _, one := range entry.Providers {
		result.Providers = append(result.Providers, providerOf(one))
	}
	return result
}

func providerOf(one apiserver.ProviderConfiguration) provider {
	switch {
	case one.AESGCM != nil:
		return provider{Kind: "aesgcm", KeyNames: names(one.AESGCM.Keys)}
	case one.AESCBC != nil:
		return provider{Kind: "aescbc", KeyNames: names(one.AESCBC.Keys)}
	case one.Secretbox != nil:
		return provider{Kind: "secretbox", KeyNames: names(one.Secretbox.Keys)}
	case one.KMS != nil:
		socket, err := util.ParseEndpoint(one.KMS.Endpoint)
		must(err)
		return provider{Kind: "kms", APIVersion: one.KMS.APIVersion, Name: one.KMS.Name,
			Endpoint: one.KMS.Endpoint, Socket: socket, Nanosecond: one.KMS.Timeout.Nanoseconds()}
	default:
		return provider{Kind: "identity"}
	}
}

func names(keys []apiserver.Key) []string {
	var result []string
	for _, key := range keys {
		result = append(result, key.Name)
	}
	return result
}

// The loader asks each KMS v2 plugin for its Status, and waits as long as the file says.
// Nobody listens here: the endpoint is parsed as ever, and the answer comes at once.
func beSilentPlugins() {
	dial := encryptionconfig.EnvelopeKMSv2ServiceFactory
	encryptionconfig.EnvelopeKMSv2ServiceFactory = func(ctx context.Context, endpoint, name string, timeout time.Duration) (service.Service, error) {
		if _, err := dial(ctx, endpoint, name, timeout); err != nil {
			return nil, err
		}
		return silent{}, nil
	}
}

type silent struct{}

var errSilent = errors.New("nobody listens")

func (silent) Decrypt(context.Context, string, *service.DecryptRequest) ([]byte, error) {
	return nil, errSilent
}

func (silent) Encrypt(context.Context, string, []byte) (*service.EncryptResponse, error) {
	return nil, errSilent
}

func (silent) Status(context.Context) (*service.StatusResponse, error) {
	return nil, errSilent
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
