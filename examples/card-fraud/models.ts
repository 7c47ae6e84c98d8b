/** The models of the example, as `train/` made them: see models/report.json. */
import { float, type Model, model, onnx } from 'millrace'
import { scoring } from './features.ts'

const output = { score: float() }
const outputs = { score: { tensor: 'probabilities', column: 1 } }

/** A logistic regression and boosted trees, from the folder that `train.py` wrote. */
export function fraudModels(folder: URL): { readonly logistic: Model; readonly boosted: Model } {
  const file = (name: string): URL => new URL(`${name}.onnx`, folder)
  return {
    logistic: model('fraud_logistic', {
      version: 1,
      input: scoring,
      from: onnx(file('logistic'), { outputs }),
      output,
    }),
    boosted: model('fraud_boosted', { version: 1, input: scoring, from: onnx(file('boosted'), { outputs }), output }),
  }
}

export const { logistic, boosted } = fraudModels(new URL('models/', import.meta.url))
