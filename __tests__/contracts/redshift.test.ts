import { DescribeClustersCommand, PauseClusterCommand, RedshiftClient } from "@aws-sdk/client-redshift";
import { operator } from "../../local/credentials";
import { startRedshift } from "../../local/redshift";
import type { StandIn } from "../../local/stand-in";

let redshift: StandIn;
let client: RedshiftClient;

beforeAll(async () => {
  redshift = await startRedshift({
    clusterId: "warehouse",
    databaseName: "predictions",
    nodeType: "ra3.large",
    numberOfNodes: 2,
  });
  client = new RedshiftClient({ ...operator, endpoint: redshift.url });
});
afterAll(async () => {
  client.destroy();
  await redshift.stop();
});

test.each([{ ClusterIdentifier: "warehouse" }, {}])("DescribeClusters %j says how the cluster is", async (input) => {
  const { Clusters } = await client.send(new DescribeClustersCommand(input));
  expect(Clusters).toEqual([
    expect.objectContaining({
      ClusterIdentifier: "warehouse",
      ClusterStatus: "available",
      ClusterAvailabilityStatus: "Available",
      DBName: "predictions",
      NodeType: "ra3.large",
      NumberOfNodes: 2,
    }),
  ]);
});

test("DescribeClusters of another name is ClusterNotFound", async () => {
  await expect(client.send(new DescribeClustersCommand({ ClusterIdentifier: "a<b" }))).rejects.toMatchObject({
    name: "ClusterNotFoundFault",
    message: "Cluster a<b not found.",
  });
});

test("changes nothing", async () => {
  await expect(client.send(new PauseClusterCommand({ ClusterIdentifier: "warehouse" }))).rejects.toMatchObject({
    name: "InvalidAction",
  });
});
