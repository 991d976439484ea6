/* The side panel in WeCom: asks the chat whose it is, and puts approved words into it. Without a bridge the page says so. */
"use strict";

const at = document.body.dataset, signed = JSON.parse(document.getElementById("kq-signed")?.textContent || "null");
const wait = (seconds) => new Promise((_, reject) => setTimeout(() => reject(new Error("no answer")), seconds * 1000));
const bridge = async () => {
  if (!window.ww || !signed || !at.corp) throw new Error("no bridge");
  window.ww.register({ corpId: at.corp, agentId: at.agent, jsApiList: ["getContext", "getCurExternalContact", "sendChatMessage"],
    getConfigSignature: () => signed.corp, getAgentConfigSignature: () => signed.agent });
  return window.ww;
};
const asked = bridge();
asked.catch(() => {});

const panelForm = document.getElementById("who");
if (panelForm) Promise.race([asked.then(async (ww) => {
  const context = await ww.getContext();
  if (!String(context.entry).includes("single_chat_tools")) throw new Error("not a chat");
  return (await ww.getCurExternalContact()).userId;
}), wait(6)]).then((contact) => {
  panelForm.elements.contact.value = contact;
  panelForm.submit();
}).catch(() => {
  document.getElementById("asking").hidden = true;
  document.getElementById("outside").hidden = false;
});

document.addEventListener("submit", async (e) => {
  const form = e.target;
  if (form.dataset.chat === undefined || e.defaultPrevented) return;
  e.preventDefault();
  const said = form.querySelector("[data-said]"), button = e.submitter;
  button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form) });
    if (!answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      said.textContent = (page.querySelector(".kq-note, main")?.textContent || "!").replace(/\s+/g, " ").trim();
      return;
    }
    const words = (await answer.json()).words;
    try {
      await (await asked).sendChatMessage({ msgtype: "text", text: { content: words } });
    } catch { await navigator.clipboard.writeText(words); }
    said.textContent = "✓";
  } catch {
    said.textContent = "…";
    button.disabled = false;
    document.getElementById("unsent")?.toggleAttribute("hidden", false);
  }
}, true);
