// A client on node-smpp, of any version and over TLS:
// node node_versions.js URL PASSWORD VERSION BIND NUMBER [CERTIFICATE]
// It binds (transceiver, or a transmitter and a receiver beside it), asks enquire_link, submits two
// parts of a long message and reads their receipts. It says `bound` {version}: what the router
// told, `alive` {status}, `answer` {id, congestion}, `receipt` {id, named}, `unbind`.
'use strict';
const fs = require('fs');
const smpp = require('smpp');

const [url, password, version, bind, number, certificate] = process.argv.slice(2);
const options = certificate ? { ca: fs.readFileSync(certificate), servername: 'localhost' } : {};

const say = (event, facts) => console.log(JSON.stringify({ event, ...facts }));
const nameOf = (names, value) => Object.keys(names).find((name) => names[name] === value);
const sessions = [];
let due = 2;

// Bind, and go on with the session.
function bound(kind, then) {
  const session = smpp.connect({ url, ...options }, () => {
    const fields = { system_id: 'bank', password, interface_version: Number(version) };
    session[`bind_${kind}`](fields, (pdu) => {
      say('bound', { status: nameOf(smpp.errors, pdu.command_status), version: pdu.sc_interface_version });
      sessions.push(session);
      then(session);
    });
  });
  session.on('deliver_sm', receipt);
}

function submit(session) {
  session.enquire_link({}, (pdu) => say('alive', { status: nameOf(smpp.errors, pdu.command_status) }));
  ['first', 'second'].forEach((text, n) => {
    const fields = {
      source_addr: 'BANK',
      source_addr_ton: 5,
      destination_addr: number,
      registered_delivery: 1,
      short_message: { udh: Buffer.from([5, 0, 3, 7, 2, n + 1]), message: text },
    };
    session.submit_sm(fields, (pdu) => say('answer', {
      status: nameOf(smpp.errors, pdu.command_status),
      id: pdu.message_id,
      congestion: pdu.congestion_state,
    }));
  });
}

function receipt(pdu) {
  const session = sessions[sessions.length - 1];
  session.send(pdu.response());
  const [, id] = /^id:(\S+) /.exec(pdu.short_message.message);
  say('receipt', { id, named: pdu.receipted_message_id });
  due -= 1;
  if (due) return;
  sessions.forEach((one) => one.unbind(() => {
    say('unbind', {});
    one.close();
  }));
}

if (bind === 'transceiver') bound(bind, submit);
else bound('transmitter', (transmitter) => bound('receiver', () => submit(transmitter)));
