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

/**
 * What an account has of a run, as far as AWS lists things by their names: roles, network and logs are not among it.
 * @throws where AWS does not answer
 */
export async function thingsOf(
  run: { readonly name: string; readonly account: string },
  { region, profile }: SignIn,
): Promise<string[]> {
  const as = { region, profile };
  const prefix = `${prefixOf(run.name)}-`;
  const buckets = stateBucketOf(run.name, run.account);
  const byName = { NameContains: prefix };
  const sageMaker = (doing: string, list: (client: SageMakerClient) => Promise<Names>) =>
    asking(new SageMakerClient(as), doing, list);
  const found: Record<string, Promise<Names>> = {
    bucket: asking(new S3Client(as), "list the buckets", async (client) => {
      const { Buckets = [] } = await client.send(new ListBucketsCommand());
      return Buckets.map(({ Name }) => Name);
    }),
    queue: asking(new SQSClient(as), "list the queues", (client) =>
      all(paginateListQueues({ client }, { QueueNamePrefix: prefix, MaxResults: 1000 }), ({ QueueUrls }) => QueueUrls),
    ),
    function: asking(new LambdaClient(as), "list the functions", (client) =>
      all(paginateListFunctions({ client }, {}), ({ Functions }) => Functions?.map(({ FunctionName }) => FunctionName)),
    ),
    endpoint: sageMaker("list the endpoints", (client) =>
      all(paginateListEndpoints({ client }, byName), ({ Endpoints }) =>
        Endpoints?.map(({ EndpointName }) => EndpointName),
      ),
    ),
    "endpoint configuration": sageMaker("list the endpoint configurations", (client) =>
      all(paginateListEndpointConfigs({ client }, byName), ({ EndpointConfigs }) =>
        EndpointConfigs?.map(({ EndpointConfigName }) => EndpointConfigName),
      ),
    ),
    model: sageMaker("list the models", (client) =>
      all(paginateListModels({ client }, byName), ({ Models }) => Models?.map(({ ModelName }) => ModelName)),
    ),
    "feature group": sageMaker("list the feature groups", (client) =>
      all(paginateListFeatureGroups({ client }, byName), ({ FeatureGroupSummaries }) =>
        FeatureGroupSummaries?.map(({ FeatureGroupName }) => FeatureGroupName),
      ),
    ),
    cluster: asking(new RedshiftClient(as), "list the clusters", (client) =>
      all(paginateDescribeClusters({ client }, {}), ({ Clusters }) =>
        Clusters?.map(({ ClusterIdentifier }) => ClusterIdentifier),
      ),
    ),
    alarm: asking(new CloudWatchClient(as), "list the alarms", (client) =>
      all(
        paginateDescribeAlarms({ client }, { AlarmNamePrefix: prefix, AlarmTypes: ["CompositeAlarm", "MetricAlarm"] }),
        ({ CompositeAlarms = [], MetricAlarms = [] }) =>
          [...CompositeAlarms, ...MetricAlarms].map(({ AlarmName }) => AlarmName),
      ),
    ),
    dashboard: asking(new CloudWatchClient(as), "list the dashboards", (client) =>
      all(paginateListDashboards({ client }, { DashboardNamePrefix: prefix }), ({ DashboardEntries }) =>
        DashboardEntries?.map(({ DashboardName }) => DashboardName),
      ),
    ),
    API: asking(new APIGatewayClient(as), "list the APIs", (client) =>
      all(paginateGetRestApis({ client }, {}), ({ items }) => items?.map(({ name }) => name)),
    ),
    parameter: asking(new SSMClient(as), "list the parameters", (client) =>
      all(
        paginateDescribeParameters(
          { client },
          { ParameterFilters: [{ Key: "Name", Option: "BeginsWith", Values: [`/${prefix}`] }] },
        ),
        ({ Parameters }) => Parameters?.map(({ Name }) => Name),
      ),
    ),
  };
  const kinds = await Promise.all(
    Object.entries(found).map(async ([kind, names]) =>
      (await names).flatMap((name = "") =>
        name.includes(prefix) || name.startsWith(buckets) ? [`${kind} ${name}`] : [],
      ),
    ),
  );
  return kinds.flat();
}
