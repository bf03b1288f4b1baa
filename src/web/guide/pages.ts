import type { FunctionComponent } from 'preact'
import { FirstSteps } from './first-steps.tsx'
import { HowItWorks } from './how-it-works.tsx'
import { Promises } from './promises.tsx'
import { Statuses } from './statuses.tsx'
import { Threats } from './threats.tsx'

export interface GuidePage {
  readonly id: string
  readonly title: string
  readonly about: string
  readonly Text: FunctionComponent
}

export const GUIDE: readonly GuidePage[] = [
  { id: 'start', title: 'First steps', about: 'Your words, your first contact, your first message.', Text: FirstSteps },
  {
    id: 'how',
    title: 'How it works',
    about: 'Devices instead of servers, and where a message waits.',
    Text: HowItWorks,
  },
  {
    id: 'status',
    title: 'What the states mean',
    about: 'Queued, stored, delivered, read: each with its proof.',
    Text: Statuses,
  },
  { id: 'promises', title: 'What it does not promise', about: 'The limits, before you rely on it.', Text: Promises },
  { id: 'threats', title: 'Who can learn what', about: 'The threat model in plain words.', Text: Threats },
]
