from shared.plugins.inference.serve import BaseInferenceService


class InferenceService(BaseInferenceService):
    async def run_inference(self, inputs, parameters):
        return {"value": len(str(inputs.get("text", "")))}
