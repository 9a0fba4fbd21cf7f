"""AWS's own serving stack, TorchServe and the SageMaker toolkits, as its images start it: on ./model, with files here alone."""

from pathlib import Path

from sagemaker_pytorch_serving_container import serving, torchserve

torchserve.TS_CONFIG_FILE = str(Path.cwd() / "ts.properties")  # an image writes it into /etc
serving.main()
