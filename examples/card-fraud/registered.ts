/** One model whose versions are pushed: which of them answers is decided in the registry, while millrace runs. */
import { float, model, registry } from 'millrace'
import { scoring } from './features.ts'

export { scoring }

export const fraud = model('fraud', {
  input: scoring,
  from: registry({ outputs: { score: { tensor: 'probabilities', column: 1 } } }),
  output: { score: float() },
})
