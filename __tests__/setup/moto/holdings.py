"""What moto holds, counted by Terraform's types. What AWS itself puts into every account does not count."""

from moto.apigateway.models import apigateway_backends
from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.awslambda.models import lambda_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.logs.models import logs_backends
from moto.redshift.models import redshift_backends
from moto.s3.models import s3_backends
from moto.sagemaker.models import sagemaker_backends
from moto.scheduler.models import scheduler_backends
from moto.secretsmanager.models import secretsmanager_backends
from moto.sqs.models import sqs_backends

import redshift_serverless

ACCOUNT, REGION = "123456789012", "us-east-1"


def holdings():
    ec2 = ec2_backends[ACCOUNT][REGION]
    redshift = redshift_backends[ACCOUNT][REGION]
    sagemaker = sagemaker_backends[ACCOUNT][REGION]
    iam = iam_backends[ACCOUNT]["aws"]
    vpcs = [vpc for vpc in ec2.vpcs.values() if str(vpc.is_default).lower() != "true"]
    own = {vpc.id for vpc in vpcs}
    held = {
        "aws_api_gateway_rest_api": apigateway_backends[ACCOUNT][REGION].apis,
        "aws_appautoscaling_target": [
            target
            for targets in applicationautoscaling_backends[ACCOUNT][REGION].targets.values()
            for target in targets.values()
        ],
        "aws_cloudwatch_dashboard": cloudwatch_backends[ACCOUNT][REGION].dashboards,
        "aws_cloudwatch_log_group": logs_backends[ACCOUNT][REGION].groups,
        "aws_cloudwatch_metric_alarm": cloudwatch_backends[ACCOUNT][REGION].alarms,
        "aws_iam_policy": [p for p in iam.managed_policies.values() if ":aws:policy/" not in p.arn],
        "aws_iam_role": iam.roles,
        "aws_internet_gateway": ec2.internet_gateways,
        "aws_lambda_event_source_mapping": lambda_backends[ACCOUNT][REGION].list_event_source_mappings(None, None),
        "aws_lambda_function": list(lambda_backends[ACCOUNT][REGION].list_functions()),
        "aws_redshift_cluster": redshift.clusters,
        "aws_redshift_parameter_group": [name for name in redshift.parameter_groups if "default." not in name],
        "aws_redshift_subnet_group": redshift.subnet_groups,
        "aws_redshiftserverless_namespace": redshift_serverless.namespaces,
        "aws_redshiftserverless_usage_limit": redshift_serverless.usage_limits,
        "aws_redshiftserverless_workgroup": redshift_serverless.workgroups,
        "aws_s3_bucket": s3_backends[ACCOUNT]["aws"].buckets,
        "aws_sagemaker_endpoint": sagemaker.endpoints,
        "aws_sagemaker_endpoint_configuration": sagemaker.endpoint_configs,
        "aws_sagemaker_feature_group": sagemaker.feature_groups,
        "aws_sagemaker_model": sagemaker._models,
        "aws_scheduler_schedule": [
            schedule
            for group in scheduler_backends[ACCOUNT][REGION].schedule_groups.values()
            for schedule in group.schedules
        ],
        "aws_secretsmanager_secret": secretsmanager_backends[ACCOUNT][REGION].secrets,
        "aws_security_group": [g for vpc in own for g in ec2.groups.get(vpc, {}).values() if g.name != "default"],
        "aws_sqs_queue": sqs_backends[ACCOUNT][REGION].queues,
        "aws_subnet": [s for zone in ec2.subnets.values() for s in zone.values() if s.vpc_id in own],
        "aws_vpc": vpcs,
        "aws_vpc_endpoint": [e for e in ec2.vpc_end_points.values() if e.state != "deleted"],
    }
    return {kind: len(of_kind) for kind, of_kind in held.items() if of_kind}
