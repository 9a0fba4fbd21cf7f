import { z } from "zod";
import { describeRange, isWithin, limits, type Range } from "../aws/limits";
import { group, nothing, oneOf, refuse, ruled, text, whole, yesOrNo } from "./faults";
import { hoursFields, hoursRule } from "./hours";
import { naming, type Surroundings } from "./surroundings";

const { nodeTypes, retiredNodeTypes, numberOfNodes: nodes, ports } = limits.redshift;
const refusePort = refuse(ports.map(({ min, max }) => `${min} to ${max}`).join(" or "), ports[0].source);

/** How many nodes of a type a cluster may have; of one that nobody has named, one or more. */
const nodesOf = (nodeType: keyof typeof nodes | undefined): Range =>
  nodeType === undefined ? { min: 1, unit: "nodes", source: nodes["ra3.large"].source } : nodes[nodeType];

/** What keeps the predictions: a Redshift cluster, or a workgroup of Redshift Serverless. */
export const warehouseSection = (around: Surroundings) =>
  around.capacity === "on-demand" ? workgroup(around) : cluster(around);

/** What both have. */
const sharedFields = (around: Surroundings) => {
  const named = naming(around);
  return {
    /** The first database, where the predictions are. @default predictions */
    databaseName: text(limits.redshift.databaseName).prefault("predictions"),
    /** The admin's name; AWS makes and keeps the password. @default admin */
    adminUsername: text(limits.redshift.adminUsername).prefault("admin"),
    /** The role that Redshift reads staged answers with. @default WarehouseCopyRole */
    copyRoleName: named("WarehouseCopyRole", limits.iam.roleName),
    /** The role that Redshift writes large results with. @default WarehouseUnloadRole */
    unloadRoleName: named("WarehouseUnloadRole", limits.iam.roleName),
    /** The function that makes tables, users and rights at deploy. @default warehouse-schema */
    schemaFunctionName: named("warehouse-schema", limits.lambda.functionName),
    /** That function's role. @default WarehouseSchemaRole */
    schemaRoleName: named("WarehouseSchemaRole", limits.iam.roleName),
  };
};

/** A workgroup of Redshift Serverless, with its namespace. */
function workgroup(around: Surroundings) {
  const named = naming(around);
  const without = (why: string) => nothing(`nothing on demand, ${why}`, limits.redshift.serverlessSource);
  const sized = "where Redshift Serverless sizes itself";
  return group({
    ...sharedFields(around),
    /** The name of the workgroup and of its namespace. @default predictions-on-demand */
    workgroupName: named("predictions-on-demand", limits.redshift.workgroupName),
    /** The role that people take on to read. @default WarehouseReaderRole */
    readerRoleName: named("WarehouseReaderRole", limits.iam.roleName),
    /**
     * A fuse: the RPU-hours of a month after which Redshift runs no statement until the month is over. Answers wait in S3
     * meanwhile. @default 100, which are 37.50 USD
     */
    monthlyRpuHours: whole(limits.redshift.rpuHours).prefault(100),
    clusterIdentifier: without("where workgroupName is the name"),
    subnetGroupName: without("where a workgroup has subnets itself"),
    nodeType: without(sized),
    numberOfNodes: without(sized),
    port: without("where people and functions use the Data API alone"),
    hours: without("where nothing is paid for while it rests"),
    finalSnapshot: without("where Terraform takes no snapshot of a namespace: recovery points stay for a day"),
  }).prefault({});
}

/** A Redshift cluster. */
function cluster(around: Surroundings) {
  const named = naming(around);
  const { takeOver } = around;
  const without = () => nothing('nothing but where capacity is "on-demand"');
  return ruled(
    group({
      ...sharedFields(around),
      workgroupName: without(),
      readerRoleName: without(),
      monthlyRpuHours: without(),
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
      /** @default 5439 */
      port: z
        .int({ error: refusePort })
        .refine((port) => ports.some((range) => isWithin(port, range)), { error: refusePort })
        .prefault(5439),
      /** Whether destroying the cluster leaves a snapshot of its data. @default true */
      finalSnapshot: yesOrNo().prefault(true),
      /**
       * The hours in which the cluster is available; it is paused in all others. At their beginning it is resumed, which takes
       * some minutes. @default it is always available
       */
      hours: ruled(
        group({
          ...hoursFields,
          /** The role that EventBridge Scheduler pauses and resumes it with. @default WarehouseHoursRole */
          roleName: named("WarehouseHoursRole", limits.iam.roleName),
        }),
        [hoursRule],
      ).optional(),
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
  ).prefault({});
}
