/** What a bastion is. */

/** The smallest of Graviton: it passes on what it gets. */
export const bastionInstanceType = "t4g.nano";

/**
 * The public parameter of SSM in which AWS says which Amazon Linux 2023 is its newest for Graviton.
 * https://docs.aws.amazon.com/linux/al2023/ug/ec2.html
 */
export const bastionImage = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64";
