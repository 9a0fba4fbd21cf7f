import { APIGatewayClient, GetAccountCommand, paginateGetRestApis } from "@aws-sdk/client-api-gateway";
import { CloudWatchClient, paginateDescribeAlarms, paginateListDashboards } from "@aws-sdk/client-cloudwatch";
import { LambdaClient, paginateListFunctions } from "@aws-sdk/client-lambda";
import { paginateDescribeClusters, RedshiftClient } from "@aws-sdk/client-redshift";
import { ListBucketsCommand, S3Client } from "@aws-sdk/client-s3";
import {
  paginateListEndpointConfigs,
  paginateListEndpoints,
  paginateListFeatureGroups,
  paginateListModels,
  SageMakerClient,
} from "@aws-sdk/client-sagemaker";
import { paginateListQueues, SQSClient } from "@aws-sdk/client-sqs";
import { paginateDescribeParameters, SSMClient } from "@aws-sdk/client-ssm";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { awsError, namingActions } from "../../cli/shared/aws-error";
import { prefixOf, stateBucketOf } from "./settings";

/** Whom AWS is asked as. */
export interface SignIn {
  readonly region: string;
  /** @default AWS's usual environment */
  readonly profile?: string;
}

/** What a client answers, which is gone afterwards. @throws for people */
async function asking<Client extends { destroy(): void } & Parameters<typeof namingActions>[0], Answer>(
  client: Client,
  doing: string,
  ask: (client: Client) => Promise<Answer>,
): Promise<Answer> {
  try {
    return await ask(namingActions(client));
  } catch (error) {
    throw awsError(doing, error);
  } finally {
    client.destroy();
  }
}

/** The account that is signed in to. */
export const accountOf = ({ region, profile }: SignIn): Promise<string> =>
  asking(new STSClient({ region, profile }), "ask who is signed in", async (client) => {
    const { Account } = await client.send(new GetCallerIdentityCommand());
    return Account ?? "";
  });

/** Whether the account has a role that API Gateway writes access logs with. */
export const hasApiGatewayRole = ({ region, profile }: SignIn): Promise<boolean> =>
  asking(new APIGatewayClient({ region, profile }), "ask for API Gateway's role", async (client) => {
    const { cloudwatchRoleArn } = await client.send(new GetAccountCommand());
    return Boolean(cloudwatchRoleArn);
  });

type Names = readonly (string | undefined)[];

async function all<Page>(pages: AsyncIterable<Page>, namesIn: (page: Page) => Names | undefined): Promise<Names> {
  const names: (string | undefined)[] = [];
  for await (const page of pages) names.push(...(namesIn(page) ?? []));
  return names;
}

/** How things of a kind are listed, by what their names begin with where AWS selects by it. */
type Listing = (kind: string, as: SignIn, prefix: string) => Promise<Names>;

const listing =
  <Client extends Parameters<typeof asking>[0]>(
    Service: new (as: SignIn) => Client,
    list: (client: Client, prefix: string) => Promise<Names>,
  ): Listing =>
  (kind, as, prefix) =>
    asking(new Service(as), `list the ${kind}s`, (client) => list(client, prefix));

const listings: Record<string, Listing> = {
  bucket: listing(S3Client, async (client) => {
    const { Buckets = [] } = await client.send(new ListBucketsCommand());
    return Buckets.map(({ Name }) => Name);
  }),
  queue: listing(SQSClient, (client, prefix) =>
    all(paginateListQueues({ client }, { QueueNamePrefix: prefix, MaxResults: 1000 }), ({ QueueUrls }) => QueueUrls),
  ),
  function: listing(LambdaClient, (client) =>
    all(paginateListFunctions({ client }, {}), ({ Functions }) => Functions?.map(({ FunctionName }) => FunctionName)),
  ),
  endpoint: listing(SageMakerClient, (client, prefix) =>
    all(paginateListEndpoints({ client }, { NameContains: prefix }), ({ Endpoints }) =>
      Endpoints?.map(({ EndpointName }) => EndpointName),
    ),
  ),
  "endpoint configuration": listing(SageMakerClient, (client, prefix) =>
    all(paginateListEndpointConfigs({ client }, { NameContains: prefix }), ({ EndpointConfigs }) =>
      EndpointConfigs?.map(({ EndpointConfigName }) => EndpointConfigName),
    ),
  ),
  model: listing(SageMakerClient, (client, prefix) =>
    all(paginateListModels({ client }, { NameContains: prefix }), ({ Models }) =>
      Models?.map(({ ModelName }) => ModelName),
    ),
  ),
  "feature group": listing(SageMakerClient, (client, prefix) =>
    all(paginateListFeatureGroups({ client }, { NameContains: prefix }), ({ FeatureGroupSummaries }) =>
      FeatureGroupSummaries?.map(({ FeatureGroupName }) => FeatureGroupName),
    ),
  ),
  cluster: listing(RedshiftClient, (client) =>
    all(paginateDescribeClusters({ client }, {}), ({ Clusters }) =>
      Clusters?.map(({ ClusterIdentifier }) => ClusterIdentifier),
    ),
  ),
  alarm: listing(CloudWatchClient, (client, prefix) =>
    all(
      paginateDescribeAlarms({ client }, { AlarmNamePrefix: prefix, AlarmTypes: ["CompositeAlarm", "MetricAlarm"] }),
      ({ CompositeAlarms = [], MetricAlarms = [] }) =>
        [...CompositeAlarms, ...MetricAlarms].map(({ AlarmName }) => AlarmName),
    ),
  ),
  dashboard: listing(CloudWatchClient, (client, prefix) =>
    all(paginateListDashboards({ client }, { DashboardNamePrefix: prefix }), ({ DashboardEntries }) =>
      DashboardEntries?.map(({ DashboardName }) => DashboardName),
    ),
  ),
  API: listing(APIGatewayClient, (client) =>
    all(paginateGetRestApis({ client }, {}), ({ items }) => items?.map(({ name }) => name)),
  ),
  parameter: listing(SSMClient, (client, prefix) => {
    const ParameterFilters = [{ Key: "Name", Option: "BeginsWith", Values: [`/${prefix}`] }];
    return all(paginateDescribeParameters({ client }, { ParameterFilters }), ({ Parameters }) =>
      Parameters?.map(({ Name }) => Name),
    );
  }),
};

/**
 * What an account has of a run, as far as AWS lists things by their names: roles, network and logs are not among it.
 * @throws where AWS does not answer
 */
export async function thingsOf(
  run: { readonly name: string; readonly account: string },
  { region, profile }: SignIn,
): Promise<string[]> {
  const prefix = `${prefixOf(run.name)}-`;
  const buckets = stateBucketOf(run.name, run.account);
  const kinds = await Promise.all(
    Object.entries(listings).map(async ([kind, list]) =>
      (await list(kind, { region, profile }, prefix)).flatMap((name = "") =>
        name.includes(prefix) || name.startsWith(buckets) ? [`${kind} ${name}`] : [],
      ),
    ),
  );
  return kinds.flat();
}
