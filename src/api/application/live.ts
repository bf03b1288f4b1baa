/** What is true now and kept nowhere: a watcher that was away has missed it. */
export type LiveEvent =
  | { readonly type: 'typing'; readonly contact: string; readonly typing: boolean }
  | { readonly type: 'presence'; readonly contact: string; readonly online: boolean }

export interface LivePart {
  /** Told to the contact over a direct stream if there is one, at most every 3 s; never kept, never by mailbox. */
  setTyping(accountId: string, typing: boolean): Promise<void>
  /** Calls back with what contacts do at the moment; the returned function ends it. */
  onLive(listener: (event: LiveEvent) => void): () => void
}
