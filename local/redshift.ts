import { serveSigned } from "./signature";
import type { Answer, StandIn } from "./stand-in";

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
    const fields = Object.entries(cluster).map(([name, value]) => element(name, text(value)));
    const clusters = element("Clusters", element("Cluster", fields.join("")));
    return xml(200, element("DescribeClustersResponse", element("DescribeClustersResult", clusters)));
  });
}

const element = (name: string, content: string) => `<${name}>${content}</${name}>`;
const text = (value: string) => value.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const xml = (status: number, body: string): Answer => ({ status, headers: { "content-type": "text/xml" }, body });

/** An error as AWS's Query protocol carries it. */
const fault = (code: string, status: number, message: string) =>
  xml(status, element("ErrorResponse", element("Error", element("Code", code) + element("Message", text(message)))));
