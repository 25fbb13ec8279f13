// The one place that loads the addon: whoever starts the agent, a replay or the doctor hands its parts on from here.
import * as native from '../native/index.ts'

/** What native offers, as the rest of the agent is given it. */
export type Addon = Pick<
  typeof native,
  'createCapture' | 'createNetlink' | 'tryInterface' | 'flowLines'
>

export const addon: Addon = native
