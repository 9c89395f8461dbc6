// A typed ext_authz server as one would write it in Go: go-control-plane's generated API on grpc-go, the policy
// evaluated natively. Its configuration is the runtime's (GOMAXPROCS, GOGC).
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"os"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	envoytype "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/structpb"
)

func main() {
	socket := flag.String("socket", "", "Unix socket to listen on")
	policyFile := flag.String("policy", "", "JSON file with the rules")
	flag.Parse()
	text, err := os.ReadFile(*policyFile)
	if err != nil {
		log.Fatal(err)
	}
	var policy policy
	if err := json.Unmarshal(text, &policy); err != nil {
		log.Fatal(err)
	}
	policy.compile()
	listener, err := net.Listen("unix", *socket)
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	auth.RegisterAuthorizationServer(server, &authorizer{policy: &policy})
	fmt.Println("ready")
	log.Fatal(server.Serve(listener))
}

type authorizer struct {
	auth.UnimplementedAuthorizationServer
	policy *policy
}

func (a *authorizer) Check(_ context.Context, request *auth.CheckRequest) (*auth.CheckResponse, error) {
	if a.policy.allows(request.GetAttributes()) {
		return &auth.CheckResponse{Status: &status.Status{Code: int32(codes.OK)}}, nil
	}
	return &auth.CheckResponse{
		Status: &status.Status{Code: int32(codes.PermissionDenied)},
		HttpResponse: &auth.CheckResponse_DeniedResponse{DeniedResponse: &auth.DeniedHttpResponse{
			Status: &envoytype.HttpStatus{Code: envoytype.StatusCode_Forbidden},
		}},
		DynamicMetadata: &structpb.Struct{Fields: map[string]*structpb.Value{
			"denied": structpb.NewStringValue("deny:" + a.policy.Name),
		}},
	}, nil
}
