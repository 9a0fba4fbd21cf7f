"""Where moto 5.2.5 falls short of what AWS documents and Terraform's provider relies on: one small patch per gap.

Each says what AWS does and what moto does. What moto has learned since is deleted here.
"""

import json
import time
from functools import wraps
from hashlib import sha256
from threading import Lock
from urllib.parse import unquote

from botocore.session import Session
from moto.apigateway.responses import APIGatewayResponse
from moto.applicationautoscaling.models import ApplicationAutoscalingBackend, applicationautoscaling_backends
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.awslambda.models import LambdaFunction
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores
from moto.ecr.responses import ECRResponse
from moto.iam.access_control import IAMPolicyStatement, PermissionResult
from moto.redshift.models import Cluster, ParameterGroup, RedshiftBackend
from moto.redshift.responses import RedshiftResponse
from moto.redshiftdata.models import Statement
from moto.s3.models import FakeBucket, FakeDeleteMarker
from moto.s3.responses import S3Response
from moto.sagemaker.exceptions import ResourceNotFound, ValidationError
from moto.sagemaker.models import FakeEndpointConfig, SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse
from moto.sagemaker.utils import arn_formatter
from moto.scheduler.responses import EventBridgeSchedulerResponse
from moto.secretsmanager.models import secretsmanager_backends
from moto.sqs.models import Queue

gaps = []


def gap(patch):
    gaps.append(patch)
    return patch


def fill():
    for patch in gaps:
        patch()


def replace(owner):
    """Puts a method in the place of the owner's own of that name, which it is given as its first argument."""

    def put(method):
        old = getattr(owner, method.__name__, None)

        @wraps(method)
        def new(self, *args, **kwargs):
            return method(old, self, *args, **kwargs)

        setattr(owner, method.__name__, new)

    return put


def replace_property(owner):
    """As `replace`, for a property."""

    def put(method):
        old = getattr(owner, method.__name__).fget
        setattr(owner, method.__name__, property(lambda self: method(old, self)))

    return put


def without_empty(answer):
    return {key: value for key, value in answer.items() if value not in ({}, [], None)}


# S3


@gap
def bucket_policies_have_conditions():
    """AWS passes over a statement whose Condition does not hold; moto takes it for a denial, whatever the Condition.

    All that is judged here is aws:SecureTransport: a request on loopback counts as one that came by TLS.
    """

    @replace(IAMPolicyStatement)
    def is_action_permitted(old, self, *args, **kwargs):
        transport = self._statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
        if transport is not None and str(transport).lower() == "false":
            return PermissionResult.NEUTRAL
        return old(self, *args, **kwargs)


@gap
def checksums_of_parts_say_how_many():
    """AWS writes the number of parts behind the checksum of their checksums; moto does so for GET, not for HEAD."""

    @replace(S3Response)
    def head_object(old, self, bucket_name, query, key_name, headers):
        status, answered, body = old(self, bucket_name, query, key_name, headers)
        for name in [name for name in answered if name.startswith("x-amz-checksum-")]:
            key = self.backend.head_object(bucket_name, key_name, version_id=query.get("versionId", [None])[0])
            if key and key.checksum_type == "COMPOSITE" and name == f"x-amz-checksum-{key.checksum_algorithm.lower()}":
                answered[name] = f"{key.checksum_value}-{key.checksum_parts}"
        return status, answered, body


@gap
def markers_are_deleted_with_the_versions_beneath():
    """AWS deletes a marker as any version; moto fails where the last version beneath it goes first."""
    FakeDeleteMarker.dispose = lambda self, garbage=False: None


@gap
def access_logs_are_let_in_by_a_list():
    """AWS reads a statement whatever its form; moto knows no Principal "*" and no list of resources in a log's bucket."""

    def _log_permissions_enabled_policy(target_bucket, target_prefix):
        statements = json.loads(target_bucket.policy.decode())["Statement"] if target_bucket.policy else []
        return any(
            one["Effect"] == "Allow" and one["Principal"] == {"Service": "logging.s3.amazonaws.com"}
            for one in statements
        )

    FakeBucket._log_permissions_enabled_policy = staticmethod(_log_permissions_enabled_policy)


# SQS


@gap
def queues_keep_what_is_not_set():
    """AWS changes just the attributes that SetQueueAttributes names; moto drops the policy when another is set."""

    @replace(Queue)
    def _set_attributes(old, self, attributes, now=None):
        kept = self.policy if "_policy_json" in vars(self) else None
        old(self, {"Policy": kept, **attributes}, now)


@gap
def queues_have_a_redrive_allow_policy():
    """AWS keeps RedriveAllowPolicy and gives it back until it is set to nothing; moto does not know it."""
    Queue.BASE_ATTRIBUTES.append("RedriveAllowPolicy")
    Queue.redrive_allow_policy = None

    @replace(Queue)
    def _set_attributes(old, self, attributes, now=None):
        old(self, attributes, now)
        self.redrive_allow_policy = self.redrive_allow_policy or None


@gap
def redrive_policies_are_compact():
    """AWS gives a redrive policy without blanks; moto puts some in, which reads as a change."""

    @replace_property(Queue)
    def attributes(old, self):
        answer = old(self)
        if self.redrive_policy:
            answer["RedrivePolicy"] = json.dumps(self.redrive_policy, separators=(",", ":"))
        return answer


# Lambda


@gap
def layers_of_other_accounts():
    """AWS attaches a public layer of any account; moto answers 404 unless the layer was published to itself."""

    @replace(LambdaFunction)
    def _get_layers_data(old, self, arns):
        elsewhere = [arn for arn in arns if arn.split(":")[4] != self.account_id]
        return [{"Arn": arn, "CodeSize": 1} for arn in elsewhere] + old(self, [a for a in arns if a not in elsewhere])


@gap
def functions_keep_their_configuration():
    """AWS gives back DeadLetterConfig, and LoggingConfig with its defaults; moto knows neither.

    moto also forgets on update what it knows at creation: TracingConfig, EphemeralStorage, KMSKeyArn.
    """

    def remember(function, settings):
        function.dead_letter_config = settings.get("DeadLetterConfig", getattr(function, "dead_letter_config", None))
        usual = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{function.function_name}"}
        kept = getattr(function, "logging_config", usual)
        function.logging_config = {**usual, **settings["LoggingConfig"]} if "LoggingConfig" in settings else kept

    @replace(LambdaFunction)
    def __init__(old, self, account_id, spec, *args, **kwargs):
        old(self, account_id, spec, *args, **kwargs)
        remember(self, spec)

    @replace(LambdaFunction)
    def update_configuration(old, self, settings):
        remember(self, settings)
        self.tracing_config = settings.get("TracingConfig", self.tracing_config)
        self.kms_key_arn = settings.get("KMSKeyArn", self.kms_key_arn)
        self.ephemeral_storage = settings.get("EphemeralStorage", {}).get("Size", self.ephemeral_storage)
        return old(self, settings)

    @replace(LambdaFunction)
    def get_configuration(old, self, *args, **kwargs):
        answer = {**old(self, *args, **kwargs), "LoggingConfig": self.logging_config}
        if self.dead_letter_config and self.dead_letter_config.get("TargetArn"):
            answer["DeadLetterConfig"] = self.dead_letter_config
        return answer


@gap
def functions_answer():
    """AWS runs a function that is invoked; moto would in a container, and there is none. It does nothing, and answers as
    the loader does that has nothing to load, and whose canary found nothing."""

    @replace(LambdaFunction)
    def _invoke_lambda(_, self, event=None):
        return json.dumps({"objects": 0, "rejected": [], "more": False, "passed": []}), False, ""


@gap
def new_code_may_have_another_architecture():
    """AWS takes Architectures with UpdateFunctionCode; moto keeps the first ones for ever."""

    @replace(LambdaFunction)
    def update_function_code(old, self, spec):
        self.architectures = spec.get("Architectures", self.architectures)
        return old(self, spec)


# CloudWatch


@gap
def alarms_watch_others():
    """AWS makes an alarm over others by PutCompositeAlarm; moto keeps and lists such alarms, and does not know the call."""
    CloudWatchResponse.put_composite_alarm = CloudWatchResponse.put_metric_alarm


# API Gateway


@gap
def integrations_have_cache_key_parameters():
    """AWS keeps cacheKeyParameters of PutIntegration, and names the cache after the resource; moto drops both."""

    @replace(APIGatewayResponse)
    def put_integration(old, self):
        status, headers, _ = old(self)
        _, _, api, _, resource, _, method, *_ = self.path.split("/")
        integration = self.backend.get_integration(api, resource, method)
        integration.cache_key_parameters = self._get_param("cacheKeyParameters") or []
        integration.cache_namespace = integration.cache_namespace or resource
        return status, headers, json.dumps(integration.to_json())


@gap
def rest_apis_have_tags():
    """AWS tags a REST API by its ARN at any time, GET, PUT and DELETE /tags/{arn}; moto tags stages alone."""
    from moto.apigateway import urls

    tagged = r"{0}/tags/arn:(?P<partition>[^/]+):apigateway:(?P<region_name>[^/]+)::/restapis/(?P<function_id>[^/]+)$"
    urls.url_paths[tagged] = APIGatewayResponse.dispatch

    def api_of(response):
        *_, kind, name = unquote(response.path).split("/")
        return response.backend.apis[name] if kind == "restapis" else None

    @replace(APIGatewayResponse)
    def get_tags(old, self):
        api = api_of(self)
        return json.dumps({"tags": api.tags}) if api else old(self)

    @replace(APIGatewayResponse)
    def tag_resource(old, self):
        api = api_of(self)
        if api is None:
            return old(self)
        api.tags = {**api.tags, **self._get_param("tags")}
        return 204, {}, ""

    @replace(APIGatewayResponse)
    def untag_resource(old, self):
        api = api_of(self)
        if api is None:
            return old(self)
        api.tags = {key: tag for key, tag in api.tags.items() if key not in self.querystring["tagKeys"]}
        return 204, {}, ""


@gap
def accounts_may_lose_their_role():
    """AWS takes a replacement without a value for none; moto fails."""

    @replace(APIGatewayResponse)
    def update_account(_, self):
        operations = [{"value": None, **operation} for operation in self._get_param("patchOperations")]
        return json.dumps(self.backend.update_account(operations).to_json())


@gap
def methods_and_integrations_change():
    """AWS has UpdateMethod and UpdateIntegration, which take patch operations; moto has neither."""

    lists = ["cache_key_parameters", "authorization_scopes"]

    def patched(target, operations):
        for operation in operations:
            name, *keys = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"][1:].split("/")]
            attribute = {"passthroughBehavior": "passthrough_behaviour"}.get(name, camelcase_to_underscores(name))
            value = operation.get("value") if operation["op"] != "remove" else None
            value = int(value) if name == "timeoutInMillis" else {"true": True, "false": False}.get(value, value)
            if not keys:
                setattr(target, attribute, value)
                continue
            held = dict.fromkeys(getattr(target, attribute) or []) if attribute in lists else getattr(target, attribute)
            held = {key: kept for key, kept in (held or {}).items() if key != keys[0]}
            if operation["op"] != "remove":
                held[keys[0]] = value
            setattr(target, attribute, list(held) if attribute in lists else held)
        return 200, {}, json.dumps(target.to_json())

    @replace(APIGatewayResponse)
    def update_method(_, self):
        _, _, api, _, resource, _, method = self.path.split("/")
        return patched(self.backend.get_method(api, resource, method), self._get_param("patchOperations"))

    @replace(APIGatewayResponse)
    def update_integration(_, self):
        _, _, api, _, resource, _, method, _ = self.path.split("/")
        return patched(self.backend.get_integration(api, resource, method), self._get_param("patchOperations"))


# Redshift


@gap
def clusters_have_all_their_fields():
    """AWS describes a cluster by more than moto's fields; the provider waits for some, and reads others back."""
    Cluster.cluster_availability_status = "Available"
    Cluster.availability_zone_relocation_status = "disabled"
    Cluster.aqua_configuration = {"AquaStatus": "disabled", "AquaConfigurationStatus": "auto"}
    Cluster.multi_az = "disabled"
    Cluster.maintenance_track_name = "current"
    Cluster.manual_snapshot_retention_period = -1
    Cluster.default_iam_role_arn = None
    Cluster.master_password_secret_arn = None
    Cluster.master_password_secret_kms_key_id = None
    Cluster.cluster_nodes = property(
        lambda self: [
            {"NodeRole": role, "PrivateIPAddress": f"10.0.0.{number}"}
            for number, role in enumerate(
                ["SHARED"]
                if self.number_of_nodes == 1
                else ["LEADER", *(f"COMPUTE-{node}" for node in range(self.number_of_nodes))]
            )
        ]
    )
    Cluster.vpc_id = property(
        lambda self: self.redshift_backend.describe_cluster_subnet_groups(self.cluster_subnet_group_name)[0].vpc_id
    )
    Cluster.cluster_namespace_arn = property(
        lambda self: (
            f"arn:aws:redshift:{self.region}:{self.account_id}:namespace:"
            f"{self.unique_cluster_id[:8]}-0000-4000-8000-{self.unique_cluster_id}"
        )
    )


def settle(backend, cluster, asked):
    """What CreateCluster and ModifyCluster have in common, and moto does not know."""
    for name, parameter in {
        "manual_snapshot_retention_period": "ManualSnapshotRetentionPeriod",
        "maintenance_track_name": "MaintenanceTrackName",
        "default_iam_role_arn": "DefaultIamRoleArn",
        "port": "Port",
        "kms_key_id": "KmsKeyId",
    }.items():
        if asked(parameter) is not None:
            setattr(cluster, name, asked(parameter))
    for name, parameter in {
        "availability_zone_relocation_status": "AvailabilityZoneRelocation",
        "multi_az": "MultiAZ",
    }.items():
        if asked(parameter) is not None:
            setattr(cluster, name, "enabled" if asked(parameter) else "disabled")
    manage = asked("ManageMasterPassword")
    if manage and cluster.master_password_secret_arn is None:
        secret = secretsmanager_backends[backend.account_id][backend.region_name].create_managed_secret(
            "redshift",
            f"redshift!{cluster.cluster_identifier}-{cluster.master_username}",
            secret_string=json.dumps({"username": cluster.master_username, "password": cluster.unique_cluster_id}),
        )
        cluster.master_password_secret_arn = secret.arn
        cluster.master_password_secret_kms_key_id = asked("MasterPasswordSecretKmsKeyId") or secret.kms_key_id
    elif manage is False or asked("MasterUserPassword"):
        forget_secret(backend, cluster)


def forget_secret(backend, cluster):
    if cluster.master_password_secret_arn is not None:
        secrets = secretsmanager_backends[backend.account_id][backend.region_name]
        secrets.delete_secret(cluster.master_password_secret_arn, None, True)
        cluster.master_password_secret_arn = cluster.master_password_secret_kms_key_id = None


@gap
def clusters_keep_all_they_are_told():
    """AWS keeps the admin's password in a secret where asked to, and moves the port, zone, track and retention;
    moto knows none of these, and breaks the parameter group's name into letters when it changes."""

    @replace(RedshiftResponse)
    def create_cluster(old, self):
        answer = old(self)
        settle(self.redshift_backend, answer.result["Cluster"], self._get_param)
        return answer

    @replace(RedshiftResponse)
    def modify_cluster(old, self):
        answer = old(self)
        cluster = answer.result["Cluster"]
        if isinstance(cluster.cluster_parameter_group_name, str):
            cluster.cluster_parameter_group_name = [cluster.cluster_parameter_group_name]
        settle(self.redshift_backend, cluster, self._get_param)
        return answer

    @replace(RedshiftBackend)
    def delete_cluster(old, self, **kwargs):
        cluster = old(self, **kwargs)
        forget_secret(self, cluster)
        return cluster


@gap
def maintenance_windows_are_in_lower_case():
    """AWS tells a maintenance window in lower case; moto tells its own default as Mon:03:00-Mon:03:30."""

    @replace(Cluster)
    def __init__(old, self, *args, **kwargs):
        old(self, *args, **kwargs)
        self.preferred_maintenance_window = self.preferred_maintenance_window.lower()


@gap
def roles_of_clusters_change():
    """AWS has ModifyClusterIamRoles; moto does not."""

    @replace(RedshiftResponse)
    def modify_cluster_iam_roles(_, self):
        cluster = self.redshift_backend.describe_clusters(self._get_param("ClusterIdentifier"))[0]
        removed = self._get_param("RemoveIamRoles", [])
        added = [arn for arn in self._get_param("AddIamRoles", []) if arn not in cluster.iam_roles_arn]
        cluster.iam_roles_arn = [arn for arn in cluster.iam_roles_arn if arn not in removed] + added
        settle(self.redshift_backend, cluster, self._get_param)
        return ActionResult({"Cluster": cluster})


@gap
def subnet_groups_change():
    """AWS has ModifyClusterSubnetGroup; moto does not."""

    @replace(RedshiftResponse)
    def modify_cluster_subnet_group(_, self):
        group = self.redshift_backend.describe_cluster_subnet_groups(self._get_param("ClusterSubnetGroupName"))[0]
        group.subnet_ids = self._get_param("SubnetIds")
        group.description = self._get_param("Description", group.description)
        return ActionResult({"ClusterSubnetGroup": group})


@gap
def parameter_groups_change():
    """AWS has ModifyClusterParameterGroup, and DescribeClusterParameters tells what the user set from the defaults;
    moto has defaults only."""
    ParameterGroup.set_by_user = property(lambda self: vars(self).setdefault("parameters_set_by_user", {}))

    @replace(RedshiftResponse)
    def modify_cluster_parameter_group(_, self):
        group = self.redshift_backend.describe_cluster_parameter_groups(self._get_param("ParameterGroupName"))[0]
        for parameter in self._get_param("Parameters"):
            group.set_by_user[parameter["ParameterName"]] = parameter["ParameterValue"]
        return ActionResult({"ParameterGroupName": group.name, "ParameterGroupStatus": "updated"})

    @replace(RedshiftResponse)
    def describe_cluster_parameters(old, self):
        group = self.redshift_backend.describe_cluster_parameter_groups(self._get_param("ParameterGroupName"))[0]
        parameters = [
            {**parameter, "ParameterValue": group.set_by_user[name], "Source": "user"}
            if (name := parameter["ParameterName"]) in group.set_by_user
            else parameter
            for parameter in old(self).result["Parameters"]
        ]
        source = self._get_param("Source")
        return ActionResult({"Parameters": [p for p in parameters if source in (None, p["Source"])]})


# Redshift Data API


@gap
def statements_finish():
    """AWS runs a statement to its end, and tells times as numbers; moto leaves it STARTED for ever, with texts."""

    @replace(Statement)
    def __init__(old, self, *args, **kwargs):
        old(self, *args, **kwargs)
        self.created_at = self.updated_at = time.time()

    @replace(Statement)
    def __iter__(_, self):
        answer = {
            "Id": self.id,
            "ClusterIdentifier": self.cluster_identifier,
            "CreatedAt": self.created_at,
            "Database": self.database,
            "DbUser": self.db_user,
            "Duration": 0,
            "HasResultSet": False,
            "QueryParameters": self.query_parameters,
            "QueryString": self.query_string,
            "RedshiftPid": self.redshift_pid,
            "RedshiftQueryId": self.redshift_query_id,
            "ResultRows": 0,
            "ResultSize": 0,
            "SecretArn": self.secret_arn,
            "Status": "FINISHED" if self.status == "STARTED" else self.status,
            "UpdatedAt": self.updated_at,
        }
        return iter(without_empty(answer).items())


# SageMaker


@gap
def instance_types_are_those_of_today():
    """AWS takes every instance type of its API; moto's list is old, and ends before inf2."""
    shape = Session().get_service_model("sagemaker").shape_for("ProductionVariantInstanceType")

    @replace(FakeEndpointConfig)
    def validate_instance_type(_, self, instance_type):
        if instance_type not in shape.enum:
            raise ValidationError(
                f"Value '{instance_type}' at 'instanceType' failed to satisfy constraint: "
                f"Member must satisfy enum value set: {shape.enum}"
            )


@gap
def models_and_configurations_leave_out_what_is_not():
    """AWS leaves out of its answers what was not asked for; moto gives empty blocks, which read as a change."""
    for method in ["describe_model", "describe_endpoint_config", "describe_endpoint"]:

        def describe(old, self):
            return ActionResult(without_empty(old(self).result))

        describe.__name__ = method
        replace(SageMakerResponse)(describe)


@gap
def models_keep_network_isolation():
    """AWS keeps EnableNetworkIsolation; moto has it false always."""

    @replace(SageMakerResponse)
    def create_model(old, self):
        answer = old(self)
        model = self.sagemaker_backend.describe_model(self._get_param("ModelName"))
        model.enable_network_isolation = self._get_param("EnableNetworkIsolation", False)
        return answer


@gap
def endpoints_change():
    """AWS has UpdateEndpoint, which puts another configuration under the same endpoint; moto does not."""

    @replace(SageMakerResponse)
    def update_endpoint(_, self):
        backend = self.sagemaker_backend
        name = self._get_param("EndpointName")
        backend.describe_endpoint(name)
        endpoint = backend.endpoints[name]
        endpoint.endpoint_config_name = self._get_param("EndpointConfigName")
        variants = backend.describe_endpoint_config(endpoint.endpoint_config_name)["ProductionVariants"]
        endpoint.production_variants = endpoint._process_production_variants(variants)
        return ActionResult({"EndpointArn": endpoint.arn})


@gap
def scaled_endpoints_keep_their_instance_type():
    """AWS refuses another instance type while a scalable target is registered for the variant; moto takes it."""

    @replace(SageMakerResponse)
    def update_endpoint(old, self):
        backend, name = self.sagemaker_backend, self._get_param("EndpointName")
        targets = applicationautoscaling_backends[self.current_account][self.region].targets
        scaled = any(f"endpoint/{name}/" in resource for ofs in targets.values() for resource in ofs)
        types = [
            [variant["InstanceType"] for variant in backend.describe_endpoint_config(configuration)["ProductionVariants"]]
            for configuration in (backend.describe_endpoint(name)["EndpointConfigName"], self._get_param("EndpointConfigName"))
        ]
        if scaled and types[0] != types[1]:
            raise ValidationError("The instance type of a variant that is scaled cannot be changed: deregister it first.")
        return old(self)


# Application Auto Scaling


@gap
def scalable_targets_are_whole():
    """AWS keeps a target's tags and what is suspended, and takes policies and scheduled actions away with it; moto does not."""

    @replace(ApplicationAutoscalingBackend)
    def register_scalable_target(old, self, *args, **kwargs):
        target = old(self, *args, **kwargs)
        nothing = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
        target.suspended_state = target.suspended_state or dict.fromkeys(nothing, False)
        return target

    @replace(ApplicationAutoscalingBackend)
    def deregister_scalable_target(old, self, namespace, r_id, dimension):
        old(self, namespace, r_id, dimension)
        self.policies = {key: one for key, one in self.policies.items() if one.resource_id != r_id}
        self.scheduled_actions = [one for one in self.scheduled_actions if one.resource_id != r_id]

    tags = {}

    @replace(ApplicationAutoScalingResponse)
    def register_scalable_target(old, self):
        answer = old(self)
        tags.setdefault(json.loads(answer)["ScalableTargetARN"], {}).update(self._get_param("Tags") or {})
        return answer

    @replace(ApplicationAutoScalingResponse)
    def list_tags_for_resource(_, self):
        return json.dumps({"Tags": tags.get(self._get_param("ResourceARN"), {})})


# EventBridge Scheduler


@gap
def schedules_are_made_once():
    """AWS answers a call with a ClientToken that it knows as it did before, as when it is sent again on a busy machine; moto refuses it."""
    answers, lock = {}, Lock()

    @replace(EventBridgeSchedulerResponse)
    def create_schedule(old, self):
        call = self.uri, self._get_param("ClientToken")
        with lock:
            answers[call] = answers.get(call) or old(self)
            return answers[call]


# SageMaker Feature Store


class OnlineFeatureGroup:
    """A feature group as DescribeFeatureGroup tells of it: what it was created with, and what AWS adds."""

    def __init__(self, arn, asked):
        self.arn = arn
        self.tags = asked.pop("Tags", None) or []
        self.description = {
            **without_empty(asked),
            "FeatureGroupArn": arn,
            "CreationTime": time.time(),
            "FeatureGroupStatus": "Created",
            "ThroughputConfig": asked.get("ThroughputConfig") or {"ThroughputMode": "OnDemand"},
        }


@gap
def feature_groups_live_without_an_offline_store():
    """AWS needs no offline store, and lists, updates, deletes and tags; moto fails without one and does none of these."""
    fields = [
        "FeatureGroupName",
        "RecordIdentifierFeatureName",
        "EventTimeFeatureName",
        "FeatureDefinitions",
        "OnlineStoreConfig",
        "OfflineStoreConfig",
        "ThroughputConfig",
        "RoleArn",
        "Description",
        "Tags",
    ]

    def find(self):
        name = self._get_param("FeatureGroupName")
        backend = self.sagemaker_backend
        arn = arn_formatter("feature-group", name.lower(), backend.account_id, backend.region_name)
        if arn not in backend.feature_groups:
            raise ResourceNotFound(f"Resource Not Found: Amazon SageMaker can't find a FeatureGroup with name {name}")
        return backend.feature_groups[arn]

    @replace(SageMakerResponse)
    def create_feature_group(old, self):
        if self._get_param("OfflineStoreConfig"):
            return old(self)
        backend = self.sagemaker_backend
        asked = {field: self._get_param(field) for field in fields}
        arn = arn_formatter(
            "feature-group", asked["FeatureGroupName"].lower(), backend.account_id, backend.region_name
        )
        backend.feature_groups[arn] = OnlineFeatureGroup(arn, asked)
        return ActionResult({"FeatureGroupArn": arn})

    @replace(SageMakerResponse)
    def describe_feature_group(old, self):
        group = find(self)
        return ActionResult(group.description) if isinstance(group, OnlineFeatureGroup) else old(self)

    @replace(SageMakerResponse)
    def list_feature_groups(_, self):
        groups = self.sagemaker_backend.feature_groups.items()
        told = [(arn, each.description["FeatureGroupName"]) for arn, each in groups if isinstance(each, OnlineFeatureGroup)]
        summaries = [{"FeatureGroupArn": arn, "FeatureGroupName": name} for arn, name in told]
        part = self._get_param("NameContains", "")
        return ActionResult({"FeatureGroupSummaries": [each for each in summaries if part in each["FeatureGroupName"]]})

    @replace(SageMakerResponse)
    def update_feature_group(_, self):
        group = find(self)
        group.description["FeatureDefinitions"] += self._get_param("FeatureAdditions", [])
        return ActionResult({"FeatureGroupArn": group.arn})

    @replace(SageMakerResponse)
    def delete_feature_group(_, self):
        del self.sagemaker_backend.feature_groups[find(self).arn]
        return ActionResult({})

    @replace(SageMakerModelBackend)
    def _get_resource_from_arn(old, self, arn):
        return self.feature_groups[arn] if arn in self.feature_groups else old(self, arn)


@gap
def tags_of_sagemaker_are_replaced():
    """AWS replaces the value of a tag whose key is there; moto keeps both."""

    @replace(SageMakerModelBackend)
    def add_tags(old, self, arn, tags):
        self.delete_tags(arn, [tag["Key"] for tag in tags])
        return old(self, arn, tags)


# ECR


@gap
def registries_of_others_have_images():
    """AWS's own images lie in registries of its accounts; moto knows repositories of one's own alone."""

    @replace(ECRResponse)
    def batch_get_image(old, self):
        name, registry = self._get_param("repositoryName"), self._get_param("registryId")
        if registry in (None, self.current_account):
            return old(self)
        tags = [asked["imageTag"] for asked in self._get_param("imageIds")]
        digests = {tag: "sha256:" + sha256(f"{registry}/{name}:{tag}".encode()).hexdigest() for tag in tags}
        images = [{"imageId": {"imageTag": tag, "imageDigest": digest}} for tag, digest in digests.items()]
        return ActionResult({"images": images, "failures": []})
