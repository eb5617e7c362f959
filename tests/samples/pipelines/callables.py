from .processors.core import Processor


def build_steps(extractor_request, container=None, base_steps=None, **kwargs):
    return {"steps": [*(base_steps or []), Processor()]}


def extract(batch, **kwargs):
    return Processor()(batch)
