import * as z from "zod";
import { featureTypes } from "./model-contract";

/** The bastion of a pipeline. What is here becomes part of a command's line, so each is checked to be no more than a name. */
const bastionSchema = z.object({
  instance_id: z.string().regex(/^i-[0-9a-f]+$/),
  private_ip: z.ipv4(),
  /** The EC2 Instance Connect Endpoint that leads to it, by its id and its name in DNS. */
  endpoint_id: z.string().regex(/^eice-[0-9a-f]+$/),
  endpoint_dns_name: z.string().regex(/^[a-z0-9][a-z0-9.-]*$/),
  /** Where it leads, `host:port`. */
  leads_to: z.string().regex(/^[a-z0-9][a-z0-9.-]*:\d+$/),
});

/** What each stack writes of its pipeline. */
const common = z.object({
  queue_url: z.string(),
  dead_letter_queue_url: z.string(),
  worker_function_name: z.string(),
  loader_function_name: z.string(),
  starter_function_name: z.string(),
  writer_function_name: z.string(),
  api_url: z.string(),
  answers_bucket: z.string(),
  endpoint_name: z.string(),
  /** The object of S3 that holds the contract with the model. */
  contract_url: z.string(),
  /** The feature group and its two features beside the contract's. @default every message carries its features */
  feature_group_name: z.string().optional(),
  record_identifier: z.object({ name: z.string(), type: z.enum(featureTypes) }).optional(),
  event_time: z.object({ name: z.string(), type: z.enum(["String", "Fractional"]) }).optional(),
  redshift_database_name: z.string(),
  /** The role by which the warehouse writes large results to the answers bucket. */
  redshift_unload_role_arn: z.string(),
  /** The KMS key that it encrypts them with. @default S3's own */
  redshift_unload_kms_key_id: z.string().optional(),
  /** What leads people to the warehouse. @default nothing */
  bastion: bastionSchema.optional(),
});

/** A warehouse that IAM lends a user's name for. */
const cluster = z.object({ redshift_cluster_identifier: z.string(), redshift_reader: z.string() });

/** A warehouse that knows people by the role that they take on. */
const workgroup = z.object({
  redshift_workgroup_name: z.string(),
  redshift_reader_role_arn: z.string(),
  /** The secret of the administrator, who alone may delete. */
  redshift_admin_secret_arn: z.string(),
});

/** What a stack writes into its names parameter, and commands read there: where the pipeline is. */
export const namesSchema = common.and(
  z.union([cluster, workgroup], "it names neither a cluster with its reader nor a workgroup with its"),
);

export type Names = z.infer<typeof namesSchema>;
