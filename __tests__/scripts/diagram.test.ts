import { diagramOf } from "../../scripts/diagram";

const at = (path: string) => ({ "//": { metadata: { path: `stack/${path}` } } });
const allow = (Action: string, Resource: string) =>
  JSON.stringify({ Statement: [{ Effect: "Allow", Action: [Action], Resource: [Resource] }] });

/** A stack with a function that may do one thing. */
const stackWith = (action: string, resource: string) =>
  JSON.stringify({
    resource: {
      aws_s3_bucket: { files: { ...at("files/bucket"), bucket: "theirs" } },
      aws_lambda_function: { reader: { ...at("reader/function"), role: "${aws_iam_role.reader.arn}" } },
      aws_iam_role_policy: {
        reader: { ...at("reader/policy"), role: "${aws_iam_role.reader.name}", policy: allow(action, resource) },
      },
    },
  });

test("an arrow is a right of the function's role, in the folders that it holds for", () => {
  const json = stackWith("s3:GetObject", "${aws_s3_bucket.files.arn}/inputs/*");
  expect(diagramOf([json], true)).toContain('reader_function -- "reads inputs/" --> files_bucket');
  expect(diagramOf([json], false)).toContain('reader_function -- "reads" --> files_bucket');
  expect(diagramOf([json], true)).toContain('files_bucket[("files<br/>S3")]');
});

test("a bucket of another stack is known by its name", () => {
  const json = stackWith("s3:GetObject", "arn:aws:s3:::theirs/model.tar.gz");
  expect(diagramOf([json], true)).toContain('reader_function -- "reads model.tar.gz" --> files_bucket');
});

test("a right that there is no verb for is named", () => {
  const json = stackWith("s3:PutObjectAcl", "${aws_s3_bucket.files.arn}/*");
  expect(() => diagramOf([json], true)).toThrow("has no verb for s3:PutObjectAcl");
});
