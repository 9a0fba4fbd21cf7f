import { z } from "zod";
import { describeRange, isWithin, limits, type Range } from "../aws/limits";
import { group, oneOf, refuse, ruled, text, yesOrNo } from "./faults";
import { naming, type Surroundings } from "./surroundings";

const { nodeTypes, retiredNodeTypes, numberOfNodes: nodes, ports } = limits.redshift;
const refusePort = refuse(ports.map(({ min, max }) => `${min} to ${max}`).join(" or "), ports[0].source);

/** How many nodes of a type a cluster may have; of one that nobody has named, one or more. */
const nodesOf = (nodeType: keyof typeof nodes | undefined): Range =>
  nodeType === undefined ? { min: 1, unit: "nodes", source: nodes["ra3.large"].source } : nodes[nodeType];

/** The Redshift cluster that keeps the predictions. */
export const warehouseSection = (around: Surroundings) => {
  const named = naming(around);
  const { takeOver } = around;
  return ruled(
    group({
      /** The Redshift cluster's name. @default what `model.name` is */
      clusterIdentifier: named(around.names.cluster, limits.redshift.clusterIdentifier),
      /** @default redshift-subnet-group */
      subnetGroupName: named("redshift-subnet-group", limits.redshift.subnetGroupName),
      /**
       * What a node of the cluster is.
       * @default ra3.large, or what the cluster has where `takeOver` is set: it is taken over first, and resized after
       */
      nodeType: oneOf(
        [...nodeTypes, ...(takeOver ? retiredNodeTypes : [])],
        `AWS retired dc2, ${nodes["ra3.large"].source}`,
      )
        .optional()
        .transform((written) => written ?? (takeOver ? undefined : "ra3.large")),
      /** @default 1 */
      numberOfNodes: z.int({ error: refuse("a whole number") }).prefault(1),
      /** The cluster's first database, where the predictions are. @default predictions */
      databaseName: text(limits.redshift.databaseName).prefault("predictions"),
      /** The admin's name; AWS makes and keeps the password. @default admin */
      adminUsername: text(limits.redshift.adminUsername).prefault("admin"),
      /** @default 5439 */
      port: z
        .int({ error: refusePort })
        .refine((port) => ports.some((range) => isWithin(port, range)), { error: refusePort })
        .prefault(5439),
      /** Whether destroying the cluster leaves a snapshot of its data. @default true */
      finalSnapshot: yesOrNo().prefault(true),
      /** The role that the cluster reads staged answers with. @default WarehouseCopyRole */
      copyRoleName: named("WarehouseCopyRole", limits.iam.roleName),
      /** The role that the cluster writes large results with. @default WarehouseUnloadRole */
      unloadRoleName: named("WarehouseUnloadRole", limits.iam.roleName),
      /** The function that makes tables, users and rights at deploy. @default warehouse-schema */
      schemaFunctionName: named("warehouse-schema", limits.lambda.functionName),
      /** That function's role. @default WarehouseSchemaRole */
      schemaRoleName: named("WarehouseSchemaRole", limits.iam.roleName),
    }),
    [
      {
        of: ["numberOfNodes", "nodeType"],
        holds: ({ numberOfNodes, nodeType }) => isWithin(numberOfNodes, nodesOf(nodeType)),
        allowed: ({ nodeType }) =>
          `${describeRange(nodesOf(nodeType))} of ${nodeType ?? "the type that the cluster has"}`,
        source: ({ nodeType }) => nodesOf(nodeType).source,
      },
    ],
  );
};
