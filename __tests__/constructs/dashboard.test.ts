import { z } from "zod";
import { fullStacks, synthesizedStacks } from "../setup/stacks";
import { onlyResource, resourcesOf } from "../setup/synth";

const bodySchema = z.object({
  widgets: z.array(
    z.object({
      type: z.string(),
      x: z.number(),
      y: z.number(),
      width: z.number(),
      height: z.number(),
      properties: z.looseObject({
        title: z.string(),
        region: z.string().optional(),
        metrics: z.array(z.array(z.unknown())).default([]),
      }),
    }),
  ),
});
const widgetsOf = (json: string) =>
  bodySchema.parse(JSON.parse(String(onlyResource(json, "aws_cloudwatch_dashboard").attributes.dashboard_body)))
    .widgets;

const { "inference-dev": dev = "" } = synthesizedStacks();
const { inference, asking } = fullStacks("eu-west-1");

/** What AWS's services publish, by what, each with the page that says so. */
const published = {
  // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
  "AWS/SQS": {
    dimensions: ["QueueName"],
    metrics: [
      "ApproximateAgeOfOldestMessage",
      "ApproximateNumberOfMessagesNotVisible",
      "ApproximateNumberOfMessagesVisible",
      "NumberOfMessagesSent",
    ],
  },
  // https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
  "AWS/Lambda": { dimensions: ["FunctionName"], metrics: ["Errors", "Throttles"] },
  // https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
  "AWS/ApiGateway": { dimensions: ["ApiName", "Stage"], metrics: ["5XXError", "Count"] },
  // https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html
  "AWS/SageMaker": { dimensions: ["EndpointName", "VariantName"], metrics: ["Invocation5XXErrors", "Invocations"] },
};

describe.each([
  ["an environment", dev],
  ["one whose endpoint exists", asking],
])("the dashboard of %s", (_, json) => {
  const widgets = widgetsOf(json);

  test("reads from left to right as requests go", () => {
    const way = ["Asked", "Waiting", "Asked of the endpoint", "Answered", "Staged", "Loaded", "Failed"];
    const titles = widgets.map(({ properties }) => properties.title);
    expect(titles).toEqual([...way, "Alarms", ...way, "Faults"]);
    const places = widgets.map(({ x, y }) => [y, x]);
    expect(places).toEqual([...places].sort(([y1 = 0, x1 = 0], [y2 = 0, x2 = 0]) => y1 - y2 || x1 - x2));
  });

  test("has widgets that fill its 24 columns, and cover one another nowhere", () => {
    const cells = widgets.flatMap(({ x, y, width, height }) =>
      Array.from({ length: width * height }, (_, cell) => `${x + (cell % width)},${y + Math.floor(cell / width)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    const height = Math.max(...widgets.map((one) => one.y + one.height));
    expect(cells).toHaveLength(24 * height);
  });

  test("shows what AWS's services publish under these names", () => {
    const shown = widgets.flatMap(({ properties }) =>
      properties.metrics.flatMap(([first, name, ...rest]) => {
        const { expression } = z.object({ expression: z.string() }).catch({ expression: "" }).parse(first);
        const [, schema, searched] = /{(AWS\/[\w/,]+)} MetricName="(\w+)" EndpointName="[^"]+"/.exec(expression) ?? [];
        const [namespace, ...dimensions] = schema?.split(",") ?? [
          first,
          ...rest.filter((_, index) => index % 2 === 0 && index < rest.length - 1),
        ];
        return String(namespace).startsWith("AWS/") ? [{ namespace, metric: searched ?? name, dimensions }] : [];
      }),
    );
    const known = Object.entries(published).flatMap(([namespace, { dimensions, metrics }]) =>
      metrics.map((metric) => ({ namespace, metric, dimensions })),
    );
    expect(known).toEqual(expect.arrayContaining(shown));
    expect(shown).toEqual(expect.arrayContaining(known));
  });
});

test("has no more metrics than a dashboard has that is free", () => {
  const metrics = widgetsOf(dev).flatMap(({ properties }) => properties.metrics);
  expect(metrics.length).toBeGreaterThan(20);
  expect(metrics.length).toBeLessThanOrEqual(50); // https://aws.amazon.com/cloudwatch/pricing/
});

test("shows all alarms, and every other widget the environment's region", () => {
  const [alarms, ...more] = widgetsOf(inference).filter(({ type }) => type === "alarm");
  expect(more).toEqual([]);
  const made = resourcesOf(inference).filter(({ address }) => /^aws_cloudwatch_\w+_alarm\.alarms_/.test(address));
  expect(z.array(z.string()).parse(alarms?.properties.alarms).sort()).toEqual(
    made.map(({ address }) => `\${${address}.arn}`).sort(),
  );
  const regions = widgetsOf(inference).map(({ properties }) => properties.region);
  expect(regions).toEqual([...Array(7).fill("eu-west-1"), undefined, ...Array(8).fill("eu-west-1")]);
});
