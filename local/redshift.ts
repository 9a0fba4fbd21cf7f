import { element, elements, fault, xml } from "./query-protocol";
import { serveSigned } from "./signature";
import type { StandIn } from "./stand-in";

export interface ClusterDescription {
  readonly clusterId: string;
  readonly databaseName: string;
  readonly nodeType: string;
  readonly numberOfNodes: number;
}

/** Starts Redshift with one cluster, available, which can be looked at and not changed. */
export function startRedshift({
  clusterId,
  databaseName,
  nodeType,
  numberOfNodes,
}: ClusterDescription): Promise<StandIn> {
  return serveSigned((request) => {
    const asked = new URLSearchParams(request.body.toString());
    const action = asked.get("Action");
    if (action !== "DescribeClusters") return fault("InvalidAction", 400, `no operation ${action}`);
    const id = asked.get("ClusterIdentifier") ?? clusterId;
    if (id !== clusterId) return fault("ClusterNotFound", 404, `Cluster ${id} not found.`);
    const cluster = {
      ClusterIdentifier: clusterId,
      ClusterStatus: "available",
      ClusterAvailabilityStatus: "Available",
      DBName: databaseName,
      NodeType: nodeType,
      NumberOfNodes: String(numberOfNodes),
    };
    const clusters = element("Clusters", element("Cluster", elements(cluster)));
    return xml(200, element("DescribeClustersResponse", element("DescribeClustersResult", clusters)));
  });
}
