"""Redshift Serverless, which moto does not have: namespaces, workgroups, usage limits and their tags, as far as Terraform's
provider makes, reads and deletes them. A request that AWS's own model of it does not allow is refused.
"""

import json
from uuid import uuid4

from botocore.session import Session
from botocore.validate import ParamValidator
from moto.ec2.models import ec2_backends
from moto.secretsmanager.models import secretsmanager_backends

ACCOUNT, REGION = "123456789012", "us-east-1"

model = Session().get_service_model("redshift-serverless")
namespaces, workgroups, usage_limits, tags = {}, {}, {}, {}


class Refused(Exception):
    """What AWS refuses, with the name of its error."""

    def __init__(self, error, message):
        super().__init__(message)
        self.error = error


def found(held, kind, name):
    if name not in held:
        raise Refused("ResourceNotFoundException", f"There is no {kind} {name}")
    return held[name]


def arn_of(kind):
    identity = str(uuid4())
    return identity, f"arn:aws:redshift-serverless:{REGION}:{ACCOUNT}:{kind}/{identity}"


def create_namespace(asked):
    name, admin = asked["namespaceName"], asked.get("adminUsername", "admin")
    if name in namespaces:
        raise Refused("ConflictException", f"There is a namespace {name}")
    identity, arn = arn_of("namespace")
    namespace = {
        "namespaceName": name,
        "namespaceId": identity,
        "namespaceArn": arn,
        "adminUsername": admin,
        "creationDate": "2026-01-01T00:00:00Z",
        "dbName": asked.get("dbName", "dev"),
        "defaultIamRoleArn": asked.get("defaultIamRoleArn", ""),
        "iamRoles": [f"IamRole(applyStatus=in-sync, iamRoleArn={role})" for role in asked.get("iamRoles", [])],
        "kmsKeyId": asked.get("kmsKeyId", "AWS_OWNED_KMS_KEY"),
        "logExports": asked.get("logExports", []),
        "status": "AVAILABLE",
    }
    if asked.get("manageAdminPassword"):
        secret = secretsmanager_backends[ACCOUNT][REGION].create_managed_secret(
            "redshift",
            f"redshift!{name}-{admin}",
            secret_string=json.dumps({"username": admin, "password": identity}),
        )
        namespace["adminPasswordSecretArn"] = secret.arn
        namespace["adminPasswordSecretKmsKeyId"] = asked.get("adminPasswordSecretKmsKeyId") or secret.kms_key_id
    namespaces[name] = namespace
    tags[arn] = asked.get("tags", [])
    return {"namespace": namespace}


def get_namespace(asked):
    return {"namespace": found(namespaces, "namespace", asked["namespaceName"])}


def delete_namespace(asked):
    namespace = found(namespaces, "namespace", asked["namespaceName"])
    if any(one["namespaceName"] == namespace["namespaceName"] for one in workgroups.values()):
        raise Refused("ConflictException", "A namespace is deleted once it has no workgroup")
    if "adminPasswordSecretArn" in namespace:
        secretsmanager_backends[ACCOUNT][REGION].delete_secret(namespace["adminPasswordSecretArn"], None, True)
    tags.pop(namespace["namespaceArn"])
    return {"namespace": {**namespaces.pop(namespace["namespaceName"]), "status": "DELETING"}}


def create_workgroup(asked):
    name = asked["workgroupName"]
    if name in workgroups:
        raise Refused("ConflictException", f"There is a workgroup {name}")
    found(namespaces, "namespace", asked["namespaceName"])
    subnets = [
        subnet
        for of_zone in ec2_backends[ACCOUNT][REGION].subnets.values()
        for subnet in of_zone.values()
        if subnet.id in asked.get("subnetIds", [])
    ]
    # https://docs.aws.amazon.com/redshift/latest/mgmt/serverless-usage-considerations.html
    if len({subnet.availability_zone for subnet in subnets}) < 3:
        raise Refused("ValidationException", "A workgroup needs subnets in three Availability Zones")
    identity, arn = arn_of("workgroup")
    address = f"{name}.{ACCOUNT}.{REGION}.redshift-serverless.amazonaws.com"
    workgroups[name] = {
        "workgroupName": name,
        "workgroupId": identity,
        "workgroupArn": arn,
        "namespaceName": asked["namespaceName"],
        "baseCapacity": asked.get("baseCapacity", 128),
        "configParameters": [
            {"parameterKey": key, "parameterValue": value}
            for key, value in {
                "auto_mv": "true",
                "datestyle": "ISO, MDY",
                "enable_case_sensitive_identifier": "false",
                "enable_user_activity_logging": "true",
                "max_query_execution_time": "14400",
                "query_group": "default",
                "require_ssl": "true",
                "search_path": "$user, public",
                "use_fips_ssl": "false",
            }.items()
        ],
        "creationDate": "2026-01-01T00:00:00Z",
        "endpoint": {"address": address, "port": asked.get("port", 5439), "vpcEndpoints": []},
        "enhancedVpcRouting": asked.get("enhancedVpcRouting", False),
        "port": asked.get("port", 5439),
        "publiclyAccessible": asked.get("publiclyAccessible", False),
        "securityGroupIds": asked.get("securityGroupIds", []),
        "status": "AVAILABLE",
        "subnetIds": asked.get("subnetIds", []),
        "trackName": asked.get("trackName", "current"),
    }
    tags[arn] = asked.get("tags", [])
    return {"workgroup": workgroups[name]}


def get_workgroup(asked):
    return {"workgroup": found(workgroups, "workgroup", asked["workgroupName"])}


def delete_workgroup(asked):
    workgroup = found(workgroups, "workgroup", asked["workgroupName"])
    tags.pop(workgroup["workgroupArn"])
    return {"workgroup": {**workgroups.pop(workgroup["workgroupName"]), "status": "DELETING"}}


def create_usage_limit(asked):
    found({one["workgroupArn"]: one for one in workgroups.values()}, "workgroup", asked["resourceArn"])
    identity, arn = arn_of("usagelimit")
    usage_limits[identity] = {"breachAction": "log", "period": "monthly", **asked}
    usage_limits[identity].update({"usageLimitId": identity, "usageLimitArn": arn})
    return {"usageLimit": usage_limits[identity]}


def get_usage_limit(asked):
    return {"usageLimit": found(usage_limits, "usage limit", asked["usageLimitId"])}


def delete_usage_limit(asked):
    found(usage_limits, "usage limit", asked["usageLimitId"])
    return {"usageLimit": usage_limits.pop(asked["usageLimitId"])}


def list_tags_for_resource(asked):
    return {"tags": found(tags, "resource", asked["resourceArn"])}


operations = {
    "".join(part.title() for part in handler.__name__.split("_")): handler
    for handler in [
        create_namespace,
        create_usage_limit,
        create_workgroup,
        delete_namespace,
        delete_usage_limit,
        delete_workgroup,
        get_namespace,
        get_usage_limit,
        get_workgroup,
        list_tags_for_resource,
    ]
}


def answer(operation, body):
    """Status and JSON of an answer to an operation of these."""
    try:
        if operation not in operations:
            raise Refused("UnknownOperationException", f"redshift_serverless.py does not know {operation}")
        asked = json.loads(body)
        wrong = ParamValidator().validate(asked, model.operation_model(operation).input_shape)
        if wrong.has_errors():
            raise Refused("ValidationException", wrong.generate_report())
        return 200, operations[operation](asked)
    except Refused as refused:
        return 400, {"__type": refused.error, "message": str(refused)}
