/**
 * `npm run verify:blind`: shows on a network of real daemons that holders are blind. Alice writes to Bob, who is away; then
 * everything that lies on the holders' disks and in anybody's log is searched. `--json` prints the findings as one line,
 * `--daemons N` (6 to 40) makes the network larger. Exit code 0 where nothing was found, 1 where something was.
 */
import { parseArgs } from 'node:util'
import { verifyBlind } from './findings.ts'

const DAEMONS = 8

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, daemons: { type: 'string', default: String(DAEMONS) } },
})
const daemons = Number(values.daemons)
if (!Number.isInteger(daemons) || daemons < 6 || daemons > 40) {
  console.error('--daemons takes a number from 6 to 40')
  process.exit(1)
}
const findings = await verifyBlind(daemons)
if (values.json) console.log(JSON.stringify(findings))
else {
  console.log(`searched ${findings.files} files (${findings.bytes} bytes) of ${daemons} daemons`)
  console.log(`letters on holders' disks  ${findings.letters}`)
  console.log(`sizes that occur           ${findings.sizesBytes.join(', ')} bytes`)
  console.log(`byte distribution          χ² ${findings.chiSquare.toFixed(0)} (random: 255 ± 23)`)
  for (const { what, where } of findings.leaks) console.log(`LEAK: ${what} in ${where}`)
  console.log(findings.leaks.length === 0 ? 'blind: nothing was found' : 'NOT blind')
}
process.exitCode = findings.leaks.length === 0 ? 0 : 1
