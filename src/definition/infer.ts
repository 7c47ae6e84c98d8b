import type { Fields, FieldValue } from '../schema/field.ts'
import type { Model, ModelInput } from './declared-model.ts'
import type { Entity } from './entity.ts'
import type { FeatureService } from './feature-service.ts'
import type { FeatureValues, FeatureView } from './feature-view.ts'
import type { Stream } from './stream.ts'

type Row<F extends Fields> = { readonly [K in keyof F]: FieldValue<F[K]> }

type Merged<Union> = (Union extends unknown ? (one: Union) => void : never) extends (all: infer All) => void
  ? { readonly [K in keyof All]: All[K] }
  : never

type ValuesOf<V> = V extends FeatureView<string, Fields, infer Features> ? FeatureValues<Features> : never
type KeysOfView<V> = V extends FeatureView<string, infer Keys> ? Row<Keys> : never

/**
 * The TypeScript type behind a definition: an event of a stream, a vector of a view or a service, a key of an entity,
 * what a model gives.
 */
export type Infer<Definition> =
  Definition extends Stream<string, infer F>
    ? Row<F>
    : Definition extends Entity<string, infer Keys>
      ? Row<Keys>
      : Definition extends FeatureService<string, infer Views>
        ? Merged<ValuesOf<Views[number]>>
        : Definition extends Model<string, ModelInput, infer Output>
          ? Row<Output>
          : ValuesOf<Definition>

/** The join keys that a read of a view or a service takes, or a prediction. */
export type KeysOf<Definition> =
  Definition extends FeatureService<string, infer Views>
    ? Merged<KeysOfView<Views[number]>>
    : Definition extends Model<string, infer Input>
      ? KeysOf<Input>
      : KeysOfView<Definition>
