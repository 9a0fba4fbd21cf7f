import { ProductionVariantInstanceType } from "@aws-sdk/client-sagemaker";
import { familyOf, instanceTypes } from "../../aws/instance-types";

test("knows just the sizes SageMaker has of its instance types", () => {
  const known = [...instanceTypes.keys()];
  const kinds = new Set(known.map((type) => type.split(".")[1]));
  const ofSageMaker = Object.values(ProductionVariantInstanceType).filter((type) => kinds.has(type.split(".")[1]));

  expect(known.sort()).toEqual(ofSageMaker.sort());
});

test.each([
  ["ml.inf1.xlarge", "inf1"],
  ["ml.inf1.24xlarge", "inf1"],
  ["ml.inf2.xlarge", "inf2"],
  ["ml.inf2.48xlarge", "inf2"],
  ["ml.c6i.xlarge", "cpu"],
  ["ml.m5.large", "cpu"],
  ["ml.m6g.4xlarge", "graviton"],
  ["ml.g5.xlarge", "gpu"],
])("%s is of family %s", (type, family) => {
  expect(familyOf(type)).toBe(family);
});

test.each(["inf1.xlarge", "ml.inf1.large", "ml.p5.48xlarge", "toString"])("knows nothing of %s", (type) => {
  expect(familyOf(type)).toBeUndefined();
});

test.each([
  ["ml.inf1.6xlarge", { family: "inf1", vCpus: 24, devices: 16 }],
  ["ml.inf2.48xlarge", { family: "inf2", vCpus: 192, devices: 24 }],
  ["ml.c5.large", { family: "cpu", vCpus: 2 }],
  ["ml.c5.18xlarge", { family: "cpu", vCpus: 72 }],
  ["ml.c8g.medium", { family: "graviton", vCpus: 1 }],
  ["ml.g4dn.xlarge", { family: "gpu", vCpus: 4, devices: 1 }],
  ["ml.g5.16xlarge", { family: "gpu", vCpus: 64, devices: 1 }],
  ["ml.g6.12xlarge", { family: "gpu", vCpus: 48, devices: 4 }],
  ["ml.g6e.48xlarge", { family: "gpu", vCpus: 192, devices: 8 }],
])("%s has %j", (type, machine) => {
  expect(instanceTypes.get(type)).toEqual(machine);
});
