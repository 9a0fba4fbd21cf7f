import { GetParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { operator } from "../../local/credentials";
import { startParameters } from "../../local/parameters";
import type { StandIn } from "../../local/stand-in";

let ssm: StandIn;
let client: SSMClient;

beforeAll(async () => {
  ssm = await startParameters({ "/poc-dev/names": '{"queue_url":"…"}' });
  client = new SSMClient({ ...operator, endpoint: ssm.url });
});
afterAll(async () => {
  client.destroy();
  await ssm.stop();
});

test("GetParameter answers with the value", async () => {
  const { Parameter } = await client.send(new GetParameterCommand({ Name: "/poc-dev/names" }));
  expect(Parameter).toMatchObject({ Name: "/poc-dev/names", Value: '{"queue_url":"…"}', Type: "String" });
});

test("GetParameter of another name is ParameterNotFound", async () => {
  await expect(client.send(new GetParameterCommand({ Name: "/poc-prod/names" }))).rejects.toMatchObject({
    name: "ParameterNotFound",
  });
});
