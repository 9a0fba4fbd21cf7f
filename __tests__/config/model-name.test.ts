import { defaultModelName } from "../../config/default-model";
import { dev, faultsWith } from "../setup/settings";

const contract = { features: { age: "Integral", city: "String" } } as const;

test("another model's resources are called by its name", () => {
  const { network, features, model, inference, warehouse, api } = dev({ model: { name: "churn", contract } });
  expect(network.name).toBe("poc-dev-churn-vpc");
  expect(features).toHaveProperty("groupName", expect.stringMatching(/^poc-dev-churn-[0-9a-f]{8}$/));
  expect(model).toMatchObject({
    modelName: "poc-dev-churn",
    endpointConfigurationName: "poc-dev-churn",
    endpointName: "poc-dev-churn",
    variantName: "churn",
    artifact: { key: "churn/model.tar.gz" },
  });
  expect(inference).toMatchObject({ functionName: "poc-dev-churn-worker", roleName: "poc-dev-churn-worker" });
  expect(warehouse.clusterIdentifier).toBe("poc-dev-churn");
  expect(api).toMatchObject({ name: "poc-dev-churn", description: "API for churn" });
});

test("the default name, and a takeover under any name, keep all names", () => {
  expect(dev({ model: { name: defaultModelName } })).toEqual(dev());
  expect(dev({ takeOver: true, model: { name: "churn" } })).toEqual(dev({ takeOver: true }));
});

test.each(["Churn", "churn_1", "-churn", "", "a".repeat(31)])("no model is called %j", (name) => {
  expect(faultsWith("model.name", name)).toEqual([
    expect.stringContaining(
      `environments.dev.model.name: got "${name}"; allowed: 1 to 30 characters: lowercase letters`,
    ),
  ]);
});
