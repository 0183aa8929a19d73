"""The forms of markup that models and servers write: tags, special tokens, brackets, entities, calls, tables.

Each form that may be cut has a pattern of its beginnings: what matches it may still become the form.
"""

from __future__ import annotations

import re

HIDDEN = re.compile(  # in the name of a tag: what stands inside is not for the caller
    "think|thought|reason|reflect|analy|scratch|monologue|ponder|rationale|deliberat|^plan|^draft$|^cot$|"
    "tool|function|invoke|parameter|python|^arg|^code|^json|^script|^style",
    re.IGNORECASE,
)
UNSEEN = re.compile(r"<!--|<!\[CDATA\[|<[!?](?=[A-Za-z])")  # a comment of HTML, character data, a declaration
UNSEEN_BEGINNING = re.compile(r"<!?-?|<!\[[CDAT]{0,5}|<\?")
UNSEEN_ENDS = {"<!--": re.compile("-->"), "<![CDATA[": re.compile(r"\]\]>")}
TASK_BOX = re.compile(r"\[[ xX]\] ")
TASK_BOX_BEGINNING = re.compile(r"\[(?:[ xX]\]?)?")
REASONING = re.compile("think|thought|reason|reflect|analy|scratch|monologue|ponder|rationale|deliberat", re.IGNORECASE)
ANY_REASONING = r"[\w:-]{0,20}(?:think|thought|reason|reflect|analy|scratch|monologue|ponder|ration|delib)[\w:-]{0,20}"
TURN_ENDS = re.compile(  # what follows is no part of the reply
    "^(im_end|im_start|eot|eot_id|eom|eom_id|eos|end.?of.?(text|turn|sentence|sequence)|start_of_turn|start_header_id)$",
    re.IGNORECASE,
)
OTHERS = frozenset({"user", "system"})  # special tokens before which the reply has ended too
ATTRIBUTE = r"\s+[\w:.-]+\s{0,2}=\s{0,2}(?:\"[^\"<>]{0,200}\"|'[^'<>]{0,200}'|[^\s<>\"']{1,100})"
TAG = re.compile(rf"<\s?(/?)\s?([A-Za-z][\w:-]{{0,40}})(?:=[^\s<>]{{0,60}})?(?:{ATTRIBUTE}){{0,8}}\s{{0,8}}/?>")
TAG_BEGINNING = re.compile(
    rf"<\s?/?\s?(?:[A-Za-z][\w:-]{{0,40}}(?:=[^\s<>]{{0,60}})?(?:{ATTRIBUTE}){{0,8}}"
    r"(?:\s+(?:[\w:.-]+\s{0,2}(?:=\s{0,2}(?:\"[^\"<>]{0,200}|'[^'<>]{0,200}|[^\s<>\"']{0,100}))?)?)?\s{0,8}/?)?"
)
SPECIAL = re.compile(r"<(?:\|(/?[^<>|\s][^<>|]{0,59})\|?|｜([^<>｜]{1,60})｜)>")
SPECIAL_BEGINNING = re.compile(r"<(?:\|[^<>|]{0,60}\|?|｜[^<>｜]{0,60}｜?)")
NEXT_SPECIAL = re.compile(r"(?=<[|｜])")
BRACKET_TAG = re.compile(r"\[(/?)([A-Z][A-Z_]{1,30})\]|◁(/?)(\w{1,30})▷")
BRACKET_TAG_BEGINNING = re.compile(r"\[/?(?:[A-Z][A-Z_]{0,30})?|◁/?\w{0,30}")
ENTITY = re.compile(r"&(?:[A-Za-z]{2,8}|#\d{2,5}|#x[0-9A-Fa-f]{2,5});")
ENTITY_BEGINNING = re.compile(r"&(?:[A-Za-z]{0,8}|#\d{0,5}|#x[0-9A-Fa-f]{0,5})")
NEVER = re.compile(r"(?!)")
JSON_LIST = re.compile(r"\[\s*(.?)", re.DOTALL)
PYTHON_CALL = re.compile(r"\[\s*[A-Za-z_][\w.]{0,64}\(")  # Llama's form of a tool call: [name(argument="value")]
PYTHON_CALL_BEGINNING = re.compile(r"\[\s*(?:[A-Za-z_][\w.]{0,64})?")
LONGEST_CLOSING_TAG = 64
TABLE_RULE = re.compile(r"[ \t]{0,8}\|?[ \t]{0,8}:?-")  # the line below a table's head begins so
TABLE_RULE_BEGINNING = re.compile(r"[ \t]{0,8}\|?[ \t]{0,8}:?")
