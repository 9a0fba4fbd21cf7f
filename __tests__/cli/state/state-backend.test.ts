import { stateBackend } from "../../../cli/state/state-backend";
import { loadConfig } from "../../../config";

const { shared, environments } = loadConfig();

test("reads where a state is from the synthesized stack", () => {
  const { stateBucket: bucket, region, profile } = shared;
  expect(stateBackend("state")).toEqual({ bucket, region, profile, key: "state/terraform.tfstate" });
  for (const { name, stateKey } of Object.values(environments)) {
    expect(stateBackend(`inference-${name}`)).toEqual({ bucket, region, profile, key: stateKey });
  }
});

test("names the stacks there are when there is no such stack", () => {
  const stacks = [...Object.keys(environments).map((name) => `inference-${name}`), "state"].sort();
  expect(() => stateBackend("inference")).toThrow(
    `There is no stack "inference". The stacks of config.ts: ${stacks.join(", ")}`,
  );
});
