import { CloudwatchDashboard } from "@cdktf/provider-aws/lib/cloudwatch-dashboard";
import { Construct } from "constructs";
import type { AwsMetric, Metric } from "../config/alarms";
import { failuresMetric, type MetricName, metricsNamespace } from "../contract/metrics";
import type { Alarms } from "./alarms";
import { functionNames, sourceOf, type Watched } from "./watched";

export interface DashboardProps extends Watched {
  readonly name: string;
  readonly region: string;
  readonly alarms: Alarms;
}

type Statistic = "Sum" | "Maximum" | "p50" | "p99";

interface LineOptions {
  readonly label: string;
  readonly stat: Statistic;
  /** Which axis it is drawn on. @default the left one */
  readonly yAxis?: "right";
}

/** A line of a graph, as a dashboard has it. */
type Line = readonly (string | LineOptions)[] | readonly [{ readonly expression: string; readonly label: string }];

interface Stage {
  readonly title: string;
  /** The one figure that is shown of it. */
  readonly figure: Line;
  /** Whether the figure is of all the time that is shown. @default it is the newest */
  readonly isTotal?: true;
  readonly lines: readonly Line[];
}

/** Eight places beside one another fill the width of a dashboard: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html */
const place = { width: 3, height: 4 };
/** Four graphs do. */
const graph = { width: 6, height: 6 };

/** All metrics of one name that have these dimensions, whatever values the others have. */
const search = (schema: string, metric: string, where: Record<string, string>) => {
  const terms = Object.entries({ MetricName: metric, ...where }).map(([name, value]) => `${name}="${value}"`);
  return `SEARCH('{${schema}} ${terms.join(" ")}', 'Sum')`;
};
const found = (expression: string, label: string): Line => [{ expression, label }];
const totalOf = (expression: string, label: string) => found(`SUM(${expression})`, label);

/** What draws the lines of an environment, by whose metrics they are. */
function drawing(watched: Watched) {
  const draw = (source: Metric, options: LineOptions): Line => {
    const { namespace, dimensions } = sourceOf(watched, source);
    return [namespace, source.metric, ...Object.entries(dimensions).flat(), options];
  };
  const drawOf = (of: AwsMetric["of"]) => (metric: string, options: LineOptions) => draw({ of, metric }, options);
  return {
    drawOf,
    own: (metric: MetricName, options: LineOptions) => draw({ of: "pipeline", metric }, options),
    queue: drawOf("queue"),
    deadLetters: drawOf("deadLetterQueue"),
    calls: drawOf("restApi"),
    // SageMaker counts by variant, and an endpoint that exists may have any.
    endpoint: (metric: string) =>
      search("AWS/SageMaker,EndpointName,VariantName", metric, { EndpointName: watched.model.endpointName }),
    failures: search(`"${metricsNamespace}",${failuresMetric.dimension},service`, failuresMetric.name, {
      service: functionNames(watched)[failuresMetric.of],
    }),
  };
}
type Drawn = ReturnType<typeof drawing>;

/** Where requests wait, and how they come there. */
const beforeTheModel = ({ own, queue, calls }: Drawn): Stage[] => [
  {
    title: "Asked",
    figure: queue("NumberOfMessagesSent", { label: "requests", stat: "Sum" }),
    isTotal: true,
    lines: [
      queue("NumberOfMessagesSent", { label: "requests on the queue", stat: "Sum" }),
      own("SentRows", { label: "of them rows of jobs", stat: "Sum" }),
      calls("Count", { label: "calls of the API", stat: "Sum" }),
    ],
  },
  {
    title: "Waiting",
    figure: queue("ApproximateNumberOfMessagesVisible", { label: "requests", stat: "Maximum" }),
    lines: [
      queue("ApproximateNumberOfMessagesVisible", { label: "waiting", stat: "Maximum" }),
      queue("ApproximateNumberOfMessagesNotVisible", { label: "in flight", stat: "Maximum" }),
      own("UnsentRows", { label: "rows of jobs that are yet to come", stat: "Maximum" }),
      queue("ApproximateAgeOfOldestMessage", { label: "age of the oldest (s)", stat: "Maximum", yAxis: "right" }),
    ],
  },
];

/** What becomes of a request that a worker takes. */
const atTheModel = ({ own, endpoint }: Drawn): Stage[] => [
  {
    title: "Asked of the endpoint",
    figure: totalOf(endpoint("Invocations"), "calls"),
    isTotal: true,
    lines: [
      found(endpoint("Invocations"), "calls"),
      own("ModelLatency", { label: "the model's time (ms), median", stat: "p50", yAxis: "right" }),
      own("ModelLatency", { label: "the model's time (ms), p99", stat: "p99", yAxis: "right" }),
    ],
  },
  {
    title: "Answered",
    figure: own("Predictions", { label: "requests", stat: "Sum" }),
    isTotal: true,
    lines: [
      own("Predictions", { label: "answered", stat: "Sum" }),
      own("RequestAge", { label: "from request to answer (ms), median", stat: "p50", yAxis: "right" }),
      own("RequestAge", { label: "from request to answer (ms), p99", stat: "p99", yAxis: "right" }),
    ],
  },
];

/** Where answers are, and what has none. */
const afterTheModel = ({ own, failures, deadLetters }: Drawn): Stage[] => [
  {
    title: "Staged",
    figure: own("StagedAge", { label: "the oldest (s)", stat: "Maximum" }),
    lines: [
      own("StagedAge", { label: "age of the oldest object (s)", stat: "Maximum" }),
      own("NewerObjects", { label: "objects of a newer version", stat: "Maximum", yAxis: "right" }),
    ],
  },
  {
    title: "Loaded",
    figure: own("LoadedRows", { label: "rows", stat: "Sum" }),
    isTotal: true,
    lines: [
      own("LoadedRows", { label: "rows in the warehouse", stat: "Sum" }),
      own("EndedJobs", { label: "jobs that ended", stat: "Sum", yAxis: "right" }),
    ],
  },
  {
    title: "Failed",
    figure: totalOf(failures, "times"),
    isTotal: true,
    lines: [
      found(failures, ""),
      deadLetters("ApproximateNumberOfMessagesVisible", { label: "dead letters", stat: "Maximum" }),
      own("RejectedObjects", { label: "objects set aside", stat: "Sum" }),
      own("ReturnedAge", { label: "age of what returns (s)", stat: "Maximum", yAxis: "right" }),
    ],
  },
];

const faultsOf = ({ drawOf, calls, endpoint }: Drawn): Line[] => [
  ...(["worker", "loader", "starter", "writer", "api"] as const).map((does) =>
    drawOf(does)("Errors", { label: `${does} fails`, stat: "Sum" }),
  ),
  drawOf("worker")("Throttles", { label: "worker throttled", stat: "Sum" }),
  calls("5XXError", { label: "API answers 5xx", stat: "Sum" }),
  found(endpoint("Invocation5XXErrors"), "endpoint answers 5xx"),
];

/** Shows an environment as requests go through it, from left to right, by what AWS's services and the functions measure. */
export class Dashboard extends Construct {
  constructor(scope: Construct, id: string, props: DashboardProps) {
    super(scope, id);
    const { name, region, alarms } = props;
    const drawn = drawing(props);
    const stages = [...beforeTheModel(drawn), ...atTheModel(drawn), ...afterTheModel(drawn)];

    const shared = { region, period: 300 };
    const figures = stages.map(({ title, figure, isTotal = false }) => ({
      type: "metric",
      properties: { ...shared, title, view: "singleValue", metrics: [figure], setPeriodToTimeRange: isTotal },
    }));
    const graphs = [...stages, { title: "Faults", lines: faultsOf(drawn) }].map(({ title, lines }) => ({
      type: "metric",
      properties: { ...shared, title, view: "timeSeries", metrics: lines },
    }));
    const row = [...figures, { type: "alarm", properties: { title: "Alarms", alarms: alarms.arns } }];
    const widgets = [
      ...row.map((widget, index) => ({ ...widget, ...place, x: place.width * index, y: 0 })),
      ...graphs.map((widget, index) => ({
        ...widget,
        ...graph,
        x: graph.width * (index % 4),
        y: place.height + graph.height * Math.floor(index / 4),
      })),
    ];
    new CloudwatchDashboard(this, "pipeline", { dashboardName: name, dashboardBody: JSON.stringify({ widgets }) });
  }
}
