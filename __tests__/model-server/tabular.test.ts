import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { settings } from "../../examples/tabular/config";
import { trainedModel } from "../../examples/tabular/train";
import { configurationOf, synthesize } from "../../local/pipeline";
import { serveModel } from "../../local/served-model";
import { behavesAsAnyProject } from "../setup/any-project";
import { resourcesOf } from "../setup/synth";
import { StackFolder } from "../terraform/terraform";

describe("the trained model of examples/tabular", () => {
  behavesAsAnyProject({
    settings,
    rows: "examples/tabular/rows.csv",
    start: async () => serveModel(await trainedModel()),
    makes: { aws_sagemaker_feature_group: 1, aws_sagemaker_endpoint: 1 },
    expected: { id: "c-006", columns: { label: "renews", score: 0.9204 } },
  });

  test("its stack plans to create each of its resources on an empty account", async () => {
    const outdir = await mkdtemp(join(tmpdir(), "tabular-"));
    const stack = await synthesize(configurationOf({ settings }), outdir);
    const copy = await StackFolder.copyOfFolder(stack);
    const changes = await copy.plan();
    expect(new Set(changes.flatMap(({ change }) => change.actions))).toEqual(new Set(["create"]));
    const synthesized = resourcesOf(await readFile(join(copy.folder, "cdk.tf.json"), "utf8"));
    expect(changes.map(({ address }) => address).sort()).toEqual(synthesized.map(({ address }) => address).sort());
    await copy.remove();
    await rm(outdir, { recursive: true });
  });
});
