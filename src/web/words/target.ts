/** Whether a text can be whom to add; its checksum is the daemon's to check. */
const ACCOUNT = /^sotto1[02-9ac-hj-np-z]{58}$/
const LINK = /^sotto:[!-~]+$/

export function targetFault(target: string): string | undefined {
  if (ACCOUNT.test(target) || LINK.test(target)) return undefined
  if (target.startsWith('sotto-verify:')) {
    return 'This is a code to compare safety numbers with: open the contact, then “Verify”.'
  }
  if (target.startsWith('sotto1')) return 'This account id is cut off or mistyped: copy all of it.'
  return 'This is no invite: it begins with “sotto:”, an account id with “sotto1”.'
}
