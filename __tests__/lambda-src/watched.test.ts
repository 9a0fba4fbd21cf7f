import { readFileSync } from "node:fs";
import { z } from "zod";
import { failuresMetric, metricsNamespace } from "../../contract/metrics";
import { ModelError } from "../../local/sagemaker-runtime";
import { within } from "../../pipeline/clients";
import { Jobs } from "../../pipeline/jobs";
import { makeJob } from "../faults/finished-job";
import { modelOf } from "../setup/contract";
import { type Desk, delivered, startDesk } from "../setup/desk";
import { synthesizedStacks } from "../setup/stacks";
import { onlyResource, resourcesOf } from "../setup/synth";

const { "inference-dev": stack = "" } = synthesizedStacks();

/** The city's name says what becomes of it. */
const model = modelOf((cities) =>
  cities.map((city) => {
    if (city === "Refused") throw new ModelError(400, "cannot read it");
    if (city === "Broken") throw new ModelError(500, "out of memory");
    return `in ${city}`;
  }),
);

const lineSchema = z.looseObject({
  service: z.string(),
  message: z.string().optional(),
  key: z.string().optional(),
  _aws: z
    .object({
      CloudWatchMetrics: z.array(
        z.object({
          Namespace: z.string(),
          Dimensions: z.tuple([z.array(z.string())]),
          Metrics: z.array(z.object({ Name: z.string() })),
        }),
      ),
    })
    .optional(),
});

let desk: Desk;
/** What the deployed functions have logged of some requests and jobs. */
let lines: { readonly text: string; readonly line: z.infer<typeof lineSchema> }[];
const requestIds = { answered: "", refused: "", broken: "" };

beforeAll(async () => {
  desk = await startDesk({ model });
  const functions = [desk.api(), desk.worker(), desk.loader(), desk.starter(), desk.writer()] as const;
  const [api, worker, loader, starter, writer] = functions;

  const asked = ["Answered", "Refused", "Broken"].map((city, place) => ({
    id: String(place),
    features: { age: 36, city },
  }));
  const event = { httpMethod: "POST", resource: "/predict", path: "/predict", body: JSON.stringify(asked) };
  const { body } = z.object({ body: z.string() }).parse(await api.invoke(event));
  const { results } = z.object({ results: z.array(z.object({ requestId: z.string() })) }).parse(JSON.parse(body));
  const [answered, refused, broken] = results.map(({ requestId }) => requestId);
  Object.assign(requestIds, { answered, refused, broken });
  const messages = await desk.take(desk.queueUrl, asked.length);
  await worker.invoke({ Records: messages.map((message) => delivered(message.body)) });
  await loader.invoke({});

  await makeJob(desk, { sent: 1 }); // two more rows are to come
  await starter.invoke({});
  const job = await makeJob(desk);
  const failed = { v: 1, failedAt: new Date(), errors: ["line 2: no"], more: 0 } as const;
  await new Jobs(desk.answersBucket, desk.s3).create(job.facts.failed, failed, within(60_000));
  await writer.invoke({});

  await Promise.all(functions.map((one) => one.stop()));
  lines = desk
    .log()
    .split("\n")
    .flatMap((text) => (text.startsWith("{") ? [{ text, line: lineSchema.parse(JSON.parse(text)) }] : []));
});
afterAll(() => desk.stop());

describe("the metrics that the functions emit", () => {
  const nameOf = (service: string, metric: string, dimensions: readonly string[]) =>
    `${service} ${metric} by ${[...dimensions].sort().join(" and ")}`;
  /** The function that a reference of Terraform's is to. */
  const functionOf = (reference: unknown) =>
    /^\$\{aws_lambda_function\.[a-z]+_([a-z]+)_function\.function_name\}$/.exec(String(reference))?.[1] ?? "";

  const emitted = () =>
    new Set(
      lines.flatMap(({ line }) =>
        (line._aws?.CloudWatchMetrics ?? []).flatMap(({ Namespace, Dimensions: [dimensions], Metrics }) => {
          expect(Namespace).toBe(metricsNamespace);
          return Metrics.map(({ Name }) => nameOf(line.service, Name, dimensions));
        }),
      ),
    );

  const metric = z.array(z.unknown());
  const shown = () => {
    const { dashboard_body: dashboard } = onlyResource(stack, "aws_cloudwatch_dashboard").attributes;
    const { widgets } = z
      .object({ widgets: z.array(z.object({ properties: z.object({ metrics: z.array(metric).default([]) }) })) })
      .parse(JSON.parse(String(dashboard)));
    return widgets.flatMap(({ properties }) => properties.metrics.flatMap((found) => ownIn(found)));
  };
  /** What a line of a graph shows of the functions' own metrics. */
  const ownIn = ([first, name, ...rest]: z.infer<typeof metric>) => {
    if (first === metricsNamespace) {
      const [dimension, service, ...more] = rest;
      expect(more).toEqual([expect.objectContaining({ label: expect.any(String) })]);
      return [nameOf(functionOf(service), String(name), [String(dimension)])];
    }
    const { expression } = z.object({ expression: z.string() }).catch({ expression: "" }).parse(first);
    const searched = new RegExp(`{"${metricsNamespace}",([\\w,]+)} MetricName="(\\w+)" service="([^"]+)"'`);
    const [, dimensions, searchedName = "", service] = searched.exec(expression) ?? [];
    return dimensions === undefined ? [] : [nameOf(functionOf(service), searchedName, dimensions.split(","))];
  };

  /** What no dashboard shows, and why. */
  const unshown = { "worker InputBytes by service": "how large inputs are says nothing of how the pipeline does" };

  test("are those that the dashboard shows", () => {
    expect(emitted()).toContain(`worker ${failuresMetric.name} by reason and service`);
    expect([...new Set([...shown(), ...Object.keys(unshown)])].sort()).toEqual([...emitted()].sort());
  });

  test("are among them that alarms watch", () => {
    const watched = resourcesOf(stack).flatMap(({ type, attributes }) => {
      if (type !== "aws_cloudwatch_metric_alarm" || attributes.namespace !== metricsNamespace) return [];
      const dimensions = z.record(z.string(), z.string()).parse(attributes.dimensions);
      return [nameOf(functionOf(dimensions.service), String(attributes.metric_name), Object.keys(dimensions))];
    });
    expect(watched).toHaveLength(4);
    expect([...emitted()]).toEqual(expect.arrayContaining(watched));
  });
});

describe("the query of the runbook", () => {
  const [, query = ""] = /<< 'END'\n([\s\S]*?)\nEND\n/.exec(readFileSync("docs/runbook.md", "utf8")) ?? [];

  /** What the query finds of a request: the lines that name it, and those about an object that one of them names. */
  const wayOf = (requestId: string) => {
    const named = lines.filter(({ text }) => text.includes(requestId));
    const keys = new Set(named.map(({ line }) => line.key));
    return [...keys].map((key) =>
      (key === undefined ? named : lines).flatMap(({ line }) => (line.key === key ? [line] : [])),
    );
  };
  const messagesOf = (requestId: string) => wayOf(requestId).map((about) => about.map(({ message }) => message));

  test("finds a request on the queue, its outcome staged, and its row loaded", async () => {
    expect(messagesOf(requestIds.answered)).toEqual([
      ["requests are queued"],
      ["outcomes are staged", "an object is loaded"],
    ]);
    const sql = "SELECT output FROM prediction_results WHERE request_id = $1";
    expect(await desk.rows(sql, [requestIds.answered])).toEqual([{ output: "in Answered" }]);
  });

  test("finds why a request came back, or was given up", () => {
    expect(messagesOf(requestIds.broken)).toEqual([["requests are queued", "request returned"]]);
    expect(messagesOf(requestIds.refused)).toEqual([
      ["requests are queued", "request failed"],
      ["outcomes are staged", "an object is loaded"],
    ]);
    const [[, failed] = []] = wayOf(requestIds.refused);
    expect(failed).toMatchObject({ code: "refused_by_model", reason: expect.any(String) });
  });

  test("names no field but those that these lines have", () => {
    const fields = [...query.matchAll(/\b(?:ispresent|earliest|latest)\((\w+)\)|\bby (\w+)$/gm)].flatMap(
      ([, argument, group]) => argument ?? group ?? [],
    );
    const found = new Set(wayOf(requestIds.refused).flatMap((about) => about.flatMap(Object.keys)));
    expect([...new Set(fields)].sort()).toEqual(["code", "key", "message", "reason"]);
    expect([...found]).toEqual(expect.arrayContaining(fields));
    expect(query).toContain('strcontains(@message, "REQUEST_ID")');
  });

  test("reads logs without a feature or an answer", () => {
    expect(desk.log()).not.toMatch(/Answered|Refused|Broken/);
  });
});

test("the rule of docs/jobs.md matches the event that the writer sends", () => {
  const [, json = ""] =
    /event_pattern = <<-JSON\n([\s\S]*?)\n +JSON\n/.exec(readFileSync("docs/jobs.md", "utf8")) ?? [];
  const pattern = z
    .strictObject({
      source: z.array(z.string()),
      "detail-type": z.array(z.string()),
      detail: z.strictObject({ state: z.array(z.string()) }),
    })
    .parse(JSON.parse(json));
  const [event, ...more] = desk.eventBridge.events;
  expect(more).toEqual([]);
  const { state } = z.object({ state: z.string() }).parse(event?.detail);
  expect(pattern.source).toContain(event?.source);
  expect(pattern["detail-type"]).toContain(event?.detailType);
  expect(pattern.detail.state).toContain(state);
});
