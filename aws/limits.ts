import { partitions } from "./partitions";

/** AWS's limits as data, each with the page that says so. */

/** A whole number's bounds, both allowed. */
export interface Range {
  readonly min: number;
  /** @default no upper bound that AWS states */
  readonly max?: number;
  /** What is counted: "seconds", "MB", "messages". */
  readonly unit: string;
  /** Where the bounds are stated, or why they are so. */
  readonly source: string;
}

/** What a name may be. */
export interface NameLimit {
  readonly pattern: RegExp;
  /** @default 1 */
  readonly minimumLength?: number;
  readonly maximumLength: number;
  /** The pattern in words. */
  readonly allowed: string;
  /** Where the limit is stated, or why it is so. */
  readonly source: string;
}

const api = "https://docs.aws.amazon.com";
const createQueue = `${api}/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html`;
const createMapping = `${api}/lambda/latest/api/API_CreateEventSourceMapping.html`;
const scalingConfig = `${api}/lambda/latest/api/API_ScalingConfig.html`;
const createFunction = `${api}/lambda/latest/api/API_CreateFunction.html`;
const lambdaQuotas = `${api}/lambda/latest/dg/gettingstarted-limits.html`;
const sagemaker = `${api}/sagemaker/latest/APIReference`;
const serverlessEndpoints = `${api}/sagemaker/latest/dg/serverless-endpoints.html`;
const containerDefinition = `${sagemaker}/API_ContainerDefinition.html`;
const createCluster = `${api}/redshift/latest/APIReference/API_CreateCluster.html`;
const clusterNodes = `${api}/redshift/latest/mgmt/working-with-clusters.html`;
const apiGatewayQuotas = `${api}/apigateway/latest/developerguide/limits.html`;
const iamQuotas = `${api}/IAM/latest/UserGuide/reference_iam-quotas.html`;
const tagging = `${api}/tag-editor/latest/userguide/best-practices-and-strats.html`;
const redshiftNames = `${api}/redshift/latest/dg/r_names.html`;
const s3Keys = `${api}/AmazonS3/latest/userguide/object-keys.html`;

const domains = [...new Set(partitions.map(({ dnsSuffix }) => dnsSuffix.replaceAll(".", "\\.")))].join("|");

const sagemakerName = (operation: string): NameLimit => ({
  pattern: /^[a-zA-Z0-9](-*[a-zA-Z0-9])*$/,
  maximumLength: 63,
  allowed: "letters, digits and hyphens, a letter or digit first and last",
  source: `${sagemaker}/API_${operation}.html`,
});

const featureName = (operation: string): NameLimit => ({
  pattern: /^[a-zA-Z0-9]([-_]*[a-zA-Z0-9])*$/,
  maximumLength: 64,
  allowed: "letters, digits, hyphens and underscores, a letter or digit first and last",
  source: `${sagemaker}/API_${operation}.html`,
});

export const limits = {
  sqs: {
    messageRetentionSeconds: { min: 60, max: 1_209_600, unit: "seconds", source: createQueue },
    visibilityTimeoutSeconds: { min: 0, max: 43_200, unit: "seconds", source: createQueue },
    maxReceiveCount: {
      min: 1,
      max: 1000,
      unit: "deliveries",
      source: `${api}/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html`,
    },
    queueName: {
      pattern: /^[A-Za-z0-9_-]+$/,
      maximumLength: 80,
      allowed: "letters, digits, hyphens and underscores",
      source: createQueue,
    },
  },
  eventSourceMapping: {
    batchSize: { min: 1, max: 10_000, unit: "messages", source: createMapping },
    batchWindowSeconds: { min: 0, max: 300, unit: "seconds", source: createMapping },
    /** A larger batch needs a window of at least one second. */
    largestBatchWithoutWindow: 10,
    maximumConcurrency: { min: 2, max: 1000, unit: "functions at once", source: scalingConfig },
    source: createMapping,
  },
  lambda: {
    timeoutSeconds: { min: 1, max: 900, unit: "seconds", source: createFunction },
    memoryMegabytes: { min: 128, max: 10_240, unit: "MB", source: lambdaQuotas },
    functionName: {
      pattern: /^[a-zA-Z0-9_-]+$/,
      maximumLength: 64,
      allowed: "letters, digits, hyphens and underscores",
      source: createFunction,
    },
    /** Open files and connections of one function. */
    fileDescriptors: { min: 1, max: 1024, unit: "file descriptors", source: lambdaQuotas },
  },
  sagemaker: {
    modelName: sagemakerName("CreateModel"),
    endpointConfigurationName: sagemakerName("CreateEndpointConfig"),
    endpointName: sagemakerName("CreateEndpoint"),
    variantName: sagemakerName("ProductionVariant"),
    instanceType: {
      pattern: /^ml\.[a-z0-9-]+\.[a-z0-9]+$/,
      maximumLength: 63,
      allowed: "an instance type of SageMaker's, ml.<group>.<size>",
      source: `${sagemaker}/API_ProductionVariant.html`,
    },
    instanceCount: { min: 1, unit: "instances", source: `${sagemaker}/API_ProductionVariant.html` },
    /** Of Serverless Inference: the memory of an endpoint, and the calls that it answers at once. */
    serverlessMemoryGigabytes: { min: 1, max: 6, unit: "GB", source: serverlessEndpoints },
    // A queue has two workers or more, and each asks.
    serverlessConcurrency: { min: 2, max: 200, unit: "calls at once", source: serverlessEndpoints },
    samplingPercentage: { min: 1, max: 100, unit: "percent", source: `${sagemaker}/API_DataCaptureConfig.html` },
    /** What Serverless Inference cannot do. */
    serverlessSource: serverlessEndpoints,
    /** How long a container may take to answer. */
    callSeconds: {
      min: 1,
      max: 60,
      unit: "seconds",
      source: `${sagemaker}/API_runtime_InvokeEndpoint.html`,
    },
    /** Environment variables of a container: one's name and value, how many, and names and values in all. */
    containerEnvironment: {
      name: {
        pattern: /^[a-zA-Z_][a-zA-Z0-9_]*$/,
        maximumLength: 1024,
        allowed: "letters, digits and underscores, no digit first",
        source: containerDefinition,
      },
      valueBytes: { min: 0, max: 1024, unit: "bytes", source: containerDefinition },
      variables: { min: 0, max: 100, unit: "variables", source: containerDefinition },
      bytes: { min: 0, max: 32_768, unit: "bytes", source: containerDefinition },
    },
    dataCaptureS3Uri: {
      pattern: /^(?!.*[$%]\{)s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[^\s/]+)+$/, // Terraform would evaluate ${…} and %{…}
      maximumLength: 512,
      allowed: "s3://<bucket>/<prefix>, no slash last, no ${ and %{",
      source: `${sagemaker}/API_DataCaptureConfig.html`,
    },
    image: {
      pattern: new RegExp(
        `^\\d{12}\\.dkr\\.ecr(-fips)?\\.[a-z0-9-]+\\.(${domains})/[a-z0-9._/-]+(:[\\w.-]+|@sha256:[a-f0-9]{64})$`,
      ),
      maximumLength: 255,
      allowed: "an image in ECR with its tag or digest: <account>.dkr.ecr.<region>.amazonaws.com/<repository>:<tag>",
      source: `${sagemaker}/API_ContainerDefinition.html`,
    },
  },
  featureStore: {
    groupName: featureName("CreateFeatureGroup"),
    featureName: featureName("FeatureDefinition"),
    /** Features that Feature Store adds itself. */
    reservedFeatureNames: ["is_deleted", "write_time", "api_invocation_time"],
    featuresOfGroup: {
      min: 1,
      max: 2500,
      unit: "features",
      source: `${api}/sagemaker/latest/dg/feature-store-quotas.html`,
    },
    identifierTypes: ["String", "Integral", "Fractional"],
    eventTimeTypes: ["String", "Fractional"],
    offlineStoreS3Uri: {
      pattern: /^(?!.*[$%]\{)s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/\S*)?$/, // Terraform would evaluate ${…} and %{…}
      maximumLength: 1024,
      allowed: "s3://<bucket>/<prefix>, no ${ and %{",
      source: `${sagemaker}/API_S3StorageConfig.html`,
    },
    source: `${sagemaker}/API_CreateFeatureGroup.html`,
  },
  redshift: {
    clusterIdentifier: {
      pattern: /^[a-z](-?[a-z0-9])*$/,
      maximumLength: 63,
      allowed: "lowercase letters, digits and single hyphens, a letter first, no hyphen last",
      source: createCluster,
    },
    subnetGroupName: {
      pattern: /^(?!default$)[a-z0-9-]+$/,
      maximumLength: 255,
      allowed: 'lowercase letters, digits and hyphens, not "default"',
      source: `${api}/redshift/latest/APIReference/API_CreateClusterSubnetGroup.html`,
    },
    databaseName: {
      pattern: /^[a-z][a-z0-9_]*$/,
      maximumLength: 64,
      allowed: "lowercase letters, digits and underscores, a letter first",
      source: createCluster,
    },
    adminUsername: {
      pattern: /^(?!public$)[a-z][a-z0-9_+.@-]*$/,
      maximumLength: 128,
      allowed: 'lowercase letters, digits and _ + . @ -, a letter first, not "public"',
      source: createCluster,
    },
    columnName: {
      pattern: /^[a-zA-Z_][a-zA-Z0-9_]*$/,
      maximumLength: 127,
      allowed: "ASCII letters, digits and underscores, no digit first",
      source: redshiftNames,
    },
    columnsOfTable: {
      min: 1,
      max: 1600,
      unit: "columns",
      source: `${api}/redshift/latest/dg/r_CREATE_TABLE_NEW.html`,
    },
    /** Columns that every table has itself. */
    systemColumns: ["oid", "tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"],
    /** Words that SQL reserves, in lowercase. */
    reservedWords: new Set(
      [
        "aes128 aes256 all allowoverwrite analyse analyze and any array as asc authorization az64 backup between",
        "binary blanksasnull both bytedict bzip2 case cast check collate column constraint create credentials",
        "cross current_date current_time current_timestamp current_user current_user_id default deferrable deflate",
        "defrag delta delta32k desc disable distinct do else emptyasnull enable encode encrypt encryption end",
        "except explicit false for foreign freeze from full globaldict256 globaldict64k grant group gzip having",
        "identity ignore ilike in initially inner intersect interval into is isnull join leading left like limit",
        "localtime localtimestamp lun luns lzo lzop minus mostly16 mostly32 mostly8 natural new not notnull null",
        "nulls off offline offset oid old on only open or order outer overlaps parallel partition percent",
        "permissions pivot placing primary raw readratio recover references rejectlog resort respect restore right",
        "select session_user similar snapshot some sysdate system table tag tdes text255 text32k then timestamp to",
        "top trailing true truncatecolumns union unique unnest unpivot user using verbose wallet when where with",
        "without",
      ].flatMap((line) => line.split(" ")),
    ),
    reservedWordsSource: `${api}/redshift/latest/dg/r_pg_keywords.html`,
    nodeTypes: ["ra3.large", "ra3.xlplus", "ra3.4xlarge", "ra3.16xlarge"],
    /** What a cluster may still have, and no new one should. */
    retiredNodeTypes: ["dc2.large", "dc2.8xlarge"],
    /** Nodes that a cluster of a type may have, elastic resize included. */
    numberOfNodes: {
      "ra3.large": { min: 1, max: 16, unit: "nodes", source: clusterNodes },
      "ra3.xlplus": { min: 1, max: 32, unit: "nodes", source: clusterNodes },
      "ra3.4xlarge": { min: 2, max: 64, unit: "nodes", source: clusterNodes },
      "ra3.16xlarge": { min: 2, max: 128, unit: "nodes", source: clusterNodes },
      "dc2.large": { min: 1, max: 32, unit: "nodes", source: clusterNodes },
      "dc2.8xlarge": { min: 2, max: 128, unit: "nodes", source: clusterNodes },
    },
    /** The name of a workgroup of Redshift Serverless, and of its namespace. */
    workgroupName: {
      pattern: /^[a-z0-9-]+$/,
      minimumLength: 3,
      maximumLength: 64,
      allowed: "lowercase letters, digits and hyphens",
      source: `${api}/redshift-serverless/latest/APIReference/API_CreateWorkgroup.html`,
    },
    /** What a workgroup may use in a month. */
    rpuHours: {
      min: 1,
      unit: "RPU-hours",
      source: `${api}/redshift-serverless/latest/APIReference/API_CreateUsageLimit.html`,
    },
    /** What a workgroup of Redshift Serverless wants of its network, and is not. */
    serverlessSource: `${api}/redshift/latest/mgmt/serverless-usage-considerations.html`,
    /** Ports of RA3 nodes. */
    ports: [
      { min: 5431, max: 5455, unit: "(a port)", source: createCluster },
      { min: 8191, max: 8215, unit: "(a port)", source: createCluster },
    ],
  },
  /** Calls of the Data API a second, of an account in a region. AWS names no such quota: others have met these. */
  redshiftData: {
    executeStatementPerSecond: 30,
    describeStatementPerSecond: 100,
    getStatementResultPerSecond: 20,
    source: "https://github.com/jitsucom/jitsu/issues/1462",
  },
  iam: {
    roleName: {
      pattern: /^[\w+=,.@-]+$/,
      maximumLength: 64,
      allowed: "letters, digits and _ + = , . @ -",
      source: `${api}/IAM/latest/APIReference/API_CreateRole.html`,
    },
    accountId: {
      pattern: /^\d{12}$/,
      minimumLength: 12,
      maximumLength: 12,
      allowed: "12 digits, in quotes so that leading zeros stay",
      source: `${api}/accounts/latest/reference/manage-acct-identifiers.html`,
    },
    managedPolicyLength: { min: 1, max: 6144, unit: "characters, white space not counted", source: iamQuotas },
    managedPoliciesOfRole: { min: 0, max: 10, unit: "policies, unless AWS raises the quota", source: iamQuotas },
  },
  apiGateway: {
    stageName: {
      pattern: /^[a-zA-Z0-9_-]+$/,
      maximumLength: 128,
      allowed: "letters, digits, hyphens and underscores",
      source: `${api}/apigateway/latest/api/API_CreateStage.html`,
    },
    ratePerSecond: { min: 1, max: 10_000, unit: "requests a second", source: apiGatewayQuotas },
    burst: { min: 1, max: 5000, unit: "requests", source: apiGatewayQuotas },
  },
  cloudWatchLogs: {
    retentionDays: [
      1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
    ],
    source: `${api}/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html`,
  },
  s3: {
    bucketName: {
      pattern:
        /^(?!\d+\.\d+\.\d+\.\d+$|xn--|sthree-|amzn-s3-demo-)(?!.*(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$)[a-z0-9]([a-z0-9-]|\.(?!\.))*(?<=[a-z0-9])$/,
      minimumLength: 3,
      maximumLength: 63,
      allowed:
        "lowercase letters, digits, hyphens and single dots, a letter or digit first and last, not an IP address, none of the prefixes and suffixes that S3 keeps",
      source: `${api}/AmazonS3/latest/userguide/bucketnamingrules.html`,
    },
    key: {
      pattern: /^(?!\/)[\w!.*'()/-]+(?<!\/)$/,
      maximumLength: 1024,
      allowed: "letters, digits and / ! - _ . * ' ( ), no slash first or last",
      source: s3Keys,
    },
  },
  vpc: {
    /** Prefix lengths of a VPC's and of a subnet's CIDR block. */
    prefixLength: { min: 16, max: 28, unit: "bits", source: `${api}/vpc/latest/userguide/vpc-cidr-blocks.html` },
    subnetSource: `${api}/AWSEC2/latest/APIReference/API_CreateSubnet.html`,
  },
  ec2: {
    keyPairName: {
      pattern: /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/,
      maximumLength: 255,
      allowed: "ASCII characters, no space first or last",
      source: `${api}/AWSEC2/latest/UserGuide/create-key-pairs.html`,
    },
  },
  tags: {
    value: {
      pattern: /^[\p{L}\p{N} _.:/=+@-]+$/u,
      maximumLength: 256,
      allowed: "letters, digits, spaces and _ . : / = + - @",
      source: tagging,
    },
  },
} as const satisfies Record<string, Record<string, unknown>>;

/** A range in words: `60 to 1209600 seconds`. */
export function describeRange({ min, max, unit }: Range): string {
  return `${max === undefined ? `${min} or more` : `${min} to ${max}`} ${unit}`;
}

/** A name's limit in words: `1 to 80 characters: letters, digits, hyphens and underscores`. */
export function describeName({ minimumLength = 1, maximumLength, allowed }: NameLimit): string {
  const length = minimumLength === maximumLength ? `${minimumLength}` : `${minimumLength} to ${maximumLength}`;
  return `${length} characters: ${allowed}`;
}

/** Whether a value is a whole number inside a range. */
export function isWithin(value: number, { min, max = Number.POSITIVE_INFINITY }: Range): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}

/** Whether a text is a name that a limit allows. */
export function isName(value: string, { pattern, minimumLength = 1, maximumLength }: NameLimit): boolean {
  return value.length >= minimumLength && value.length <= maximumLength && pattern.test(value);
}
