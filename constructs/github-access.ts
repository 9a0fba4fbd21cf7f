import { IamOpenidConnectProvider } from "@cdktf/provider-aws/lib/iam-openid-connect-provider";
import { IamPolicy } from "@cdktf/provider-aws/lib/iam-policy";
import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import { IamRolePolicyAttachment } from "@cdktf/provider-aws/lib/iam-role-policy-attachment";
import { Construct } from "constructs";
import { deployPermissions } from "../aws/deploy-permissions";
import { boundaryName, deployRoleName, githubIssuer, githubPath } from "../aws/github-roles";
import { limits } from "../aws/limits";
import type { Permission, Scope } from "../aws/permission";
import { type Beyond, roleBoundary } from "../aws/role-boundary";
import { contractKey } from "../contract/model-contract";
import { policyDocument, webIdentityTrustPolicy } from "./access";

/** An environment that GitHub's workflows may deploy: what is its own, and what its roles reach beside. */
export interface DeployedEnvironment extends Beyond {
  /** That of the GitHub environment too. */
  readonly name: string;
  /** What the names of its resources start with, before a hyphen. */
  readonly prefix: string;
  /** The tags that they all carry. */
  readonly tags: Readonly<Record<"Project" | "Environment", string>>;
  readonly stateKey: string;
  readonly answersBucket: string;
  readonly namesParameter: string;
  /** The KMS key that its data is encrypted with. @default AWS's own */
  readonly kmsKeyArn?: string;
  /** The key pair that its bastion opens by. @default it has no bastion */
  readonly bastionKeyPair?: string;
  /** What answers and keeps predictions. @default steady */
  readonly capacity?: Scope["capacity"];
}

export interface GitHubAccessProps {
  /** Whose workflows, as GitHub's tokens name it: `owner/name` or `owner@id/name@id`. */
  readonly repository: string;
  /** @default one is made */
  readonly oidcProviderArn?: string;
  /** What the workflows may see. */
  readonly project: {
    readonly account: string;
    readonly region: string;
    /** What the names of its resources start with, before a hyphen. */
    readonly prefix: string;
    readonly stateBucket: string;
    readonly modelBucket: string;
    /** The KMS key that these two are encrypted with. @default S3's own */
    readonly stateKmsKeyArn?: string;
  };
  /** What they may change, each environment in a role of its own. */
  readonly environments: readonly DeployedEnvironment[];
}

/**
 * Lets the workflows of one repository on GitHub plan and deploy, with no key that could be stolen: GitHub vouches for
 * them, and AWS gives them a role for an hour or a few.
 */
export class GitHubAccess extends Construct {
  /**
   * Reads everything and writes nothing but the states' locks. It is for pull requests, and for the plan of what is on
   * main. It reads the states, in which secrets are, so whoever can open a pull request from a branch of the repository
   * is to be treated as able to read them.
   */
  readonly planRole: IamRole;
  /**
   * By the environments' names: makes, changes and deletes what is the environment's. It is for jobs in the GitHub
   * environment, which can ask a person first. The roles that it makes have the environment's boundary.
   */
  readonly deployRoles: ReadonlyMap<string, IamRole>;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: GitHubAccessProps,
  ) {
    super(scope, id);
    const { environments, project } = props;
    const providerArn =
      props.oidcProviderArn ??
      new IamOpenidConnectProvider(this, "provider", {
        url: `https://${githubIssuer}`,
        clientIdList: ["sts.amazonaws.com"],
      }).arn;

    const plan = deployPermissions({
      ...project,
      tags: {}, // a plan's permissions ask for none
      stateKeys: environments.map(({ stateKey }) => stateKey),
      answersBucket: `${project.stateBucket}-*-answers`,
      contractKey: contractKey(`${project.prefix}-*`),
      namesParameter: `/${project.prefix}-*`,
      capacity: environments.some(({ capacity }) => capacity === "on-demand") ? "on-demand" : "steady",
      bastionKeyPair: environments.find(({ bastionKeyPair }) => bastionKeyPair !== undefined)?.bastionKeyPair,
    }).flatMap((service) => service.plan);
    const planSubjects = ["pull_request", "ref:refs/heads/main"];
    this.planRole = this.role("plan", `${project.prefix}-github-plan`, providerArn, planSubjects, 3600, plan);

    this.deployRoles = new Map(
      environments.map((environment) => {
        const { name, prefix, stateKey, tags } = environment;
        const own: Scope = {
          ...project,
          ...environment,
          tags: { Project: tags.Project, Environment: tags.Environment },
          stateKeys: [stateKey],
          contractKey: contractKey(prefix),
        };
        new IamPolicy(this, `${name}_boundary`, {
          name: boundaryName(prefix),
          path: githubPath,
          policy: policyDocument(roleBoundary(own, environment)),
        });
        const all = deployPermissions(own).flatMap((service) => [...service.plan, ...service.apply]);
        // A cluster's resize takes its time, and Terraform must still be able to write the state after it.
        const seconds = 4 * 3600;
        const subjects = [`environment:${name}`];
        return [name, this.role(`deploy_${name}`, deployRoleName(prefix), providerArn, subjects, seconds, all)];
      }),
    );
  }

  /** A role for the jobs that are these subjects to GitHub, and what it may do. */
  private role(
    id: string,
    name: string,
    providerArn: string,
    subjects: readonly string[],
    maxSessionDuration: number,
    permissions: readonly Permission[],
  ): IamRole {
    const role = new IamRole(this, `${id}_role`, {
      name,
      path: githubPath,
      assumeRolePolicy: webIdentityTrustPolicy(
        providerArn,
        githubIssuer,
        subjects.map((subject) => `repo:${this.props.repository}:${subject}`),
      ),
      maxSessionDuration,
    });
    for (const [index, part] of fewestPolicies(permissions).entries()) {
      const policy = new IamPolicy(this, `${id}_${index + 1}`, {
        name: `${name}-${index + 1}`,
        path: githubPath,
        policy: policyDocument(part),
      });
      new IamRolePolicyAttachment(this, `${id}_has_${index + 1}`, { role: role.name, policyArn: policy.arn });
    }
    return role;
  }
}

/** Permissions in as few policies as IAM's limit allows, in their order. */
function fewestPolicies(permissions: readonly Permission[]): Permission[][] {
  const policies: Permission[][] = [];
  for (const permission of permissions) {
    const last = policies.at(-1);
    if (last && policyDocument([...last, permission]).length <= limits.iam.managedPolicyLength.max) {
      last.push(permission);
    } else {
      policies.push([permission]);
    }
  }
  return policies;
}
