import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DataArchiveFile } from "@cdktf/provider-archive/lib/data-archive-file";
import { CloudwatchLogGroup } from "@cdktf/provider-aws/lib/cloudwatch-log-group";
import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import { IamRolePoliciesExclusive } from "@cdktf/provider-aws/lib/iam-role-policies-exclusive";
import { IamRolePolicy } from "@cdktf/provider-aws/lib/iam-role-policy";
import { IamRolePolicyAttachmentsExclusive } from "@cdktf/provider-aws/lib/iam-role-policy-attachments-exclusive";
import { LambdaFunction } from "@cdktf/provider-aws/lib/lambda-function";
import { AssetType, TerraformAsset, TerraformStack } from "cdktf";
import { addCustomSynthesis } from "cdktf/lib/synthesize/synthesizer";
import { Construct } from "constructs";
import { type Access, allow, policyDocument, trustPolicy } from "./access";
import { pathInStack } from "./addresses";

export interface NodeFunctionProps {
  readonly functionName: string;
  /** Name of the role made for it, which is also the name it signs in to the warehouse with. */
  readonly roleName: string;
  /** Folder of the bundle, relative to the project; `index.cjs` in it exports `handler`. */
  readonly bundle: string;
  readonly memoryMegabytes: number;
  readonly timeoutSeconds: number;
  readonly logRetentionDays: number;
  /** The KMS key that its log is encrypted with. @default CloudWatch Logs' own */
  readonly kmsKeyArn?: string;
  /** All that the function may do, and all that it is told. */
  readonly uses: Access[];
}

/** A Lambda function on Node.js, zipped by Terraform, with a role and a log of its own. */
export class NodeFunction extends Construct {
  readonly function: LambdaFunction;
  readonly log: CloudwatchLogGroup;

  constructor(scope: Construct, id: string, props: NodeFunctionProps) {
    super(scope, id);
    const { functionName, roleName, uses } = props;

    const role = new IamRole(this, "role", { name: roleName, assumeRolePolicy: trustPolicy("lambda.amazonaws.com") });
    this.log = new CloudwatchLogGroup(this, "log", {
      name: `/aws/lambda/${functionName}`,
      retentionInDays: props.logRetentionDays,
      kmsKeyId: props.kmsKeyArn,
    });
    const writeLog = allow(["logs:CreateLogStream", "logs:PutLogEvents"], `${this.log.arn}:*`);
    const policy = new IamRolePolicy(this, "policy", {
      name: functionName,
      role: role.name,
      policy: policyDocument([...uses, writeLog].flatMap(({ statements }) => statements)),
    });
    // Whatever is added by hand is drift, and taken off again.
    new IamRolePolicyAttachmentsExclusive(this, "no_other_policies", { roleName: role.name, policyArns: [] });
    new IamRolePoliciesExclusive(this, "no_other_inline_policies", { roleName: role.name, policyNames: [policy.name] });

    // A fixed hash keeps the asset's path, and so the Terraform JSON, the same on every machine.
    const code = new TerraformAsset(this, "code", {
      path: props.bundle,
      type: AssetType.DIRECTORY,
      assetHash: "code",
    });
    const files = uses.flatMap(({ files = {} }) => Object.entries(files));
    addCustomSynthesis(this, {
      // The asset is a child, and so is copied before this runs.
      onSynthesize: ({ manifest, outdir }) => {
        const { synthesizedStackPath } = manifest.forStack(TerraformStack.of(this));
        for (const [name, text] of files) {
          writeFileSync(join(outdir, dirname(synthesizedStackPath), code.path, name), text);
        }
      },
    });
    const archive = new DataArchiveFile(this, "archive", {
      type: "zip",
      sourceDir: code.path,
      outputPath: `${pathInStack(this)}.zip`,
      outputFileMode: "0644", // a file's mode differs between machines and would change the archive's hash
    });
    this.function = new LambdaFunction(this, "function", {
      functionName,
      role: role.arn,
      runtime: "nodejs22.x",
      architectures: ["arm64"],
      handler: "index.handler",
      filename: archive.outputPath,
      sourceCodeHash: archive.outputBase64Sha256,
      memorySize: props.memoryMegabytes,
      timeout: props.timeoutSeconds,
      environment: { variables: Object.assign({}, ...uses.map(({ environment }) => environment)) },
      dependsOn: [this.log, policy, ...uses.flatMap(({ after = [] }) => after)],
    });
  }
}
