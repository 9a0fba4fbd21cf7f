/** The oldest Terraform that deploys the stacks: none before it locks a state in S3 by a file beside it. */
export const oldestTerraform = "1.10";
