// One client of npm's bittorrent-tracker: starts, completes, scrapes, stops, and says what it was told as lines of JSON.
//
//     node npm_announces.mjs FOLDER_OF_THE_PACKAGE ANNOUNCE_URL INFO_HASH_HEX PORT
import { pathToFileURL } from 'node:url'

const [folder, announce, infoHash, port] = process.argv.slice(2)
const { default: Client } = await import(pathToFileURL(`${folder}/client.js`))
const client = new Client({ infoHash, peerId: Buffer.from(`-XX0000-${port.padStart(12, '0')}`), announce, port: Number(port) })
const say = words => console.log(JSON.stringify(words))

client.on('warning', error => say({ warning: error.message }))
client.on('error', error => say({ error: error.message }))
client.on('peer', peer => say({ peer }))
client.on('scrape', ({ complete, incomplete, downloaded }) => say({ complete, incomplete, downloaded }))

const told = () => new Promise(resolve => client.once('update', update => {
  say({ seeds: update.complete, leechers: update.incomplete })
  resolve()
}))

client.start({ uploaded: 0, downloaded: 0, left: 5, numwant: 10 })
await told()
client.complete({ uploaded: 0, downloaded: 5, left: 0 })
await told()
const scraped = new Promise(resolve => client.once('scrape', resolve))
client.scrape()
await scraped
client.stop({ uploaded: 0, downloaded: 5, left: 0 })
await told()
client.destroy()
