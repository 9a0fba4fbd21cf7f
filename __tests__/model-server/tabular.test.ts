import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageModel } from "../../cli/model/model-package";
import { verifyModel } from "../../cli/model/model-verify";
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

  test("its archive gives its golden answers, and no other", async () => {
    const folder = await mkdtemp(join(tmpdir(), "tabular-"));
    const archive = join(folder, "model.tar.gz");
    const model = await trainedModel();
    await packageModel(model, archive);
    expect(await verifyModel(archive)).toEqual({ asked: 20, agreed: 20, faults: [] });
    const golden = join(folder, "golden.json");
    const text = await readFile(join(model, "golden.json"), "utf8");
    await writeFile(golden, text.replace(/renews,0\.\d+/, "renews,0.0001"));
    expect(await verifyModel(archive, golden)).toMatchObject({ asked: 20, agreed: 19 });
    await rm(folder, { recursive: true });
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
