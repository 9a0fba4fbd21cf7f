import { IamOpenidConnectProvider } from "@cdktf/provider-aws/lib/iam-openid-connect-provider";
import { IamPolicy } from "@cdktf/provider-aws/lib/iam-policy";
import { IamRole } from "@cdktf/provider-aws/lib/iam-role";
import { IamRolePolicyAttachment } from "@cdktf/provider-aws/lib/iam-role-policy-attachment";
import { Construct } from "constructs";
import { deployPermissions, githubIssuer, githubPath, type Permission, type Project } from "../aws/deploy-permissions";
import { limits } from "../aws/limits";
import { policyDocument, webIdentityTrustPolicy } from "./access";

export interface GitHubAccessProps {
  /** Whose workflows, as GitHub's tokens name it: `owner/name` or `owner@id/name@id`. */
  readonly repository: string;
  /** The environments that may be deployed, each a GitHub environment of the same name. */
  readonly environments: readonly string[];
  /** @default one is made */
  readonly oidcProviderArn?: string;
  /** What the workflows may see and change. */
  readonly project: Project;
}

/**
 * Lets the workflows of one repository on GitHub plan and deploy, with no key that could be stolen: GitHub vouches for
 * them, and AWS gives them one of two roles for an hour or a few.
 */
export class GitHubAccess extends Construct {
  /**
   * Reads everything and writes nothing but the state's lock. It is for pull requests, and for the plan of what is on
   * main. It reads the state, in which secrets are, so whoever can open a pull request from a branch of the repository
   * is to be treated as able to read them.
   */
  readonly planRole: IamRole;
  /**
   * Makes, changes and deletes what is this project's. It is for jobs in one of the GitHub environments, which can ask
   * a person first. It makes roles that start with the project's prefix, and so can do whatever it lets these do.
   */
  readonly deployRole: IamRole;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: GitHubAccessProps,
  ) {
    super(scope, id);
    const { repository, environments, project } = props;

    const providerArn =
      props.oidcProviderArn ??
      new IamOpenidConnectProvider(this, "provider", {
        url: `https://${githubIssuer}`,
        clientIdList: ["sts.amazonaws.com"],
      }).arn;
    const role = (name: string, subjects: readonly string[], maxSessionDuration: number) =>
      new IamRole(this, `${name}_role`, {
        name: `${project.prefix}-github-${name}`,
        path: githubPath,
        assumeRolePolicy: webIdentityTrustPolicy(
          providerArn,
          githubIssuer,
          subjects.map((subject) => `repo:${repository}:${subject}`),
        ),
        maxSessionDuration,
      });
    this.planRole = role("plan", ["pull_request", "ref:refs/heads/main"], 3600);
    this.deployRole = role(
      "deploy",
      environments.map((environment) => `environment:${environment}`),
      4 * 3600, // a cluster's resize takes its time, and Terraform must still be able to write the state after it
    );

    const services = Object.values(deployPermissions(project));
    const { planRole: plan, deployRole: deploy } = this;
    this.allow(
      "plan",
      services.flatMap((service) => service.plan),
      { plan, deploy },
    );
    this.allow(
      "apply",
      services.flatMap((service) => service.apply),
      { deploy },
    );
  }

  /** Allows what a purpose needs to the roles that serve it. */
  private allow(purpose: string, permissions: readonly Permission[], holders: Record<string, IamRole>) {
    const { prefix } = this.props.project;
    for (const [index, part] of fewestPolicies(permissions).entries()) {
      const id = `${purpose}_${index + 1}`;
      const policy = new IamPolicy(this, id, {
        name: `${prefix}-github-${purpose}-${index + 1}`,
        path: githubPath,
        policy: policyDocument(part),
      });
      for (const [holder, { name }] of Object.entries(holders)) {
        new IamRolePolicyAttachment(this, `${holder}_may_${id}`, { role: name, policyArn: policy.arn });
      }
    }
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
