import { z } from "zod";
import { type StandIn, serve } from "../../local/stand-in";
import { synthesizedStacks } from "../setup/stacks";
import { onlyResource } from "../setup/synth";
import { StackFolder } from "./terraform";

const invocation = onlyResource(synthesizedStacks()["inference-dev"] ?? "{}", "aws_lambda_invocation");
const statements = z.object({ statements: z.array(z.string()) });

describe.each([
  ["is refused what it asks", 403, "AccessDeniedException"],
  ["finds nothing of what another ran", 404, "ResourceNotFoundException"],
])("an identity that %s", (_, status, error) => {
  let aws: StandIn;
  const asked: string[] = [];
  let stack: StackFolder;
  beforeAll(async () => {
    aws = await serve(({ method, url }) => {
      asked.push(`${method} ${url.pathname}`);
      return { status, headers: { "x-amzn-errortype": error }, body: JSON.stringify({ __type: error }) };
    });
    const name = "warehouse_schema_made";
    const attributes = {
      function_name: "schema",
      input: String(invocation.attributes.input).replace(
        /\$\{aws_iam_role\.(\w+)\.arn\}/g,
        "arn:aws:iam::123456789012:role/$1",
      ),
      triggers: { cluster: "arn:aws:redshift:us-east-1:123456789012:namespace:1" },
    };
    expect(Object.keys(attributes)).toEqual(
      expect.arrayContaining(Object.keys(invocation.attributes).filter((key) => key !== "//" && key !== "depends_on")),
    );
    const endpoints = [{ lambda: aws.url, redshift: aws.url, redshiftdata: aws.url }];
    const provider = { aws: [{ region: "us-east-1", endpoints }] };
    const required = { required_providers: { aws: { source: "aws", version: "5.100.0" } } };
    stack = await StackFolder.of(
      JSON.stringify({ terraform: required, provider, resource: { aws_lambda_invocation: { [name]: attributes } } }),
    );
    const made = { ...attributes, id: "schema_$LATEST_1", qualifier: "$LATEST", result: "{}" };
    await stack.holdState([
      {
        type: "aws_lambda_invocation",
        name,
        attributes: { ...made, lifecycle_scope: "CREATE_ONLY", terraform_key: "tf" },
      },
    ]);
    asked.length = 0;
  });
  afterAll(async () => {
    await stack?.remove();
    await aws?.stop();
  });

  test("plans what is made in the database without a question and without a change", async () => {
    const said = await stack.terraform("plan", "-detailed-exitcode", "-input=false", "-no-color");
    expect(said).toContain("No changes.");
    expect(asked).toEqual([]);
    expect(statements.parse(JSON.parse(String(invocation.attributes.input))).statements.length).toBeGreaterThan(10);
  });
});
