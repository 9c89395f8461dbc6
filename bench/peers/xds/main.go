// A control plane as one would build it on go-control-plane: a LinearCache for clusters and one for endpoints, delta
// xDS, with the resources of a file. It takes a line "change" for each change, and moves one endpoint then.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log"
	"maps"
	"net"
	"os"
	"slices"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	// What the resources of the file are made of.
	_ "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
)

// maxStreams is no limit here: each client has a connection of its own.
const maxStreams = 1000

func main() {
	file := flag.String("resources", "", "a DeltaDiscoveryResponse with the resources")
	flag.Parse()
	resources, err := readResources(*file)
	if err != nil {
		log.Fatal(err)
	}
	clusters := cache.NewLinearCache(resource.ClusterType, cache.WithInitialResources(resources[resource.ClusterType]))
	endpoints := cache.NewLinearCache(resource.EndpointType, cache.WithInitialResources(resources[resource.EndpointType]))
	caches := &cache.MuxCache{
		Classify:      func(request *cache.Request) string { return request.GetTypeUrl() },
		ClassifyDelta: func(request *cache.DeltaRequest) string { return request.GetTypeUrl() },
		Caches:        map[string]cache.Cache{resource.ClusterType: clusters, resource.EndpointType: endpoints},
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	plane := grpc.NewServer(grpc.MaxConcurrentStreams(maxStreams))
	discovery.RegisterAggregatedDiscoveryServiceServer(plane, server.NewServer(context.Background(), caches, nil))
	go func() { log.Fatal(plane.Serve(listener)) }()
	fmt.Println("ready")
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	names := slices.Sorted(maps.Keys(resources[resource.EndpointType]))
	input := bufio.NewScanner(os.Stdin)
	for number := 0; input.Scan(); number++ {
		name := names[number%len(names)]
		if err := endpoints.UpdateResource(name, moved(resources[resource.EndpointType][name], number)); err != nil {
			log.Fatal(err)
		}
	}
}

func readResources(file string) (map[string]map[string]types.Resource, error) {
	bytes, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var all discovery.DeltaDiscoveryResponse
	if err := proto.Unmarshal(bytes, &all); err != nil {
		return nil, err
	}
	byType := make(map[string]map[string]types.Resource)
	for _, each := range all.GetResources() {
		message, err := each.GetResource().UnmarshalNew()
		if err != nil {
			return nil, err
		}
		typeURL := each.GetResource().GetTypeUrl()
		if byType[typeURL] == nil {
			byType[typeURL] = make(map[string]types.Resource)
		}
		byType[typeURL][each.GetName()] = message
	}
	return byType, nil
}

// moved gives the first endpoint of a service another address.
func moved(before types.Resource, number int) types.Resource {
	after := proto.Clone(before).(*endpoint.ClusterLoadAssignment)
	first := after.GetEndpoints()[0].GetLbEndpoints()[0].GetEndpoint()
	address := first.GetAddress().Address.(*core.Address_SocketAddress).SocketAddress
	address.Address = fmt.Sprintf("10.200.%d.%d", number/250, number%250+1)
	return after
}
