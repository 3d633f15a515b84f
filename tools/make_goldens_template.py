#!/usr/bin/env python3
"""Makes tests/golden/template/cases.jsonl: chat templates and expressions, and what Jinja under transformers makes of them.

    python3 tools/make_goldens_template.py [tests/golden/template]
    python3 tools/make_goldens_template.py --seeds tests/fuzz/corpus/template

Needs transformers with jinja2 (not needed to build or test). A line: {"template", "globals", "out"}, or "error": true
where the reference fails; without a template it is that of the line before. The templates are our own; they use what those of real models use. --seeds writes each template
as a seed of the fuzzer.
"""
import datetime
import json
import pathlib
import sys

from transformers.utils import chat_template_utils

NOW_MS = 1700000000000


class FixedClock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromtimestamp(NOW_MS / 1000, datetime.timezone.utc)


chat_template_utils.datetime = FixedClock


def user(text):
    return {"role": "user", "content": text}


def assistant(text, **more):
    return {"role": "assistant", "content": text, **more}


SYSTEM = {"role": "system", "content": "Answer in one  word.\n"}
TOOLS = [{"type": "function", "function": {
    "name": "look_up", "description": "Finds \"words\" <quickly> é",
    "parameters": {"type": "object", "properties": {
        "word": {"type": "string"}, "limit": {"type": "integer", "enum": [1, 2]}}, "required": ["word"]}}}]
CALL = {"type": "function", "id": "abc123def", "function": {
    "name": "look_up", "arguments": {"word": "naïve", "limit": 2, "deep": [1.5, None, True, {"a": []}]}}}
CHATS = [
    [user("Grüße, 世界 😀")],
    [SYSTEM, user("  two\nlines "), assistant("<think>\nhm, yes\n</think>\n\nOne."), user("more")],
    [user("call"), assistant(None, tool_calls=[CALL]),
     {"role": "tool", "tool_call_id": "abc123def", "content": "found"}, assistant("Found."), user("thanks")],
    [user([{"type": "text", "text": "a part"}, {"type": "image"}, {"type": "text", "text": " and another"}])],
    [user("one"), user("two")],
    [],
]

MODELS = {
    "marks": """{% for message in messages %}{{'<|open|>' + message['role'] + '\\n' + message['content'] + '<|close|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|open|>assistant\\n' }}{% endif %}""",
    "turns": """{{ bos_token }}
{%- if messages and messages[0]['role'] == 'system' -%}
    {%- if messages[0]['content'] is string -%}
        {%- set first_prefix = messages[0]['content'] + '\\n\\n' -%}
    {%- else -%}
        {%- set first_prefix = messages[0]['content'][0]['text'] + '\\n\\n' -%}
    {%- endif -%}
    {%- set rest = messages[1:] -%}
{%- else -%}
    {%- set first_prefix = "" -%}
    {%- set rest = messages -%}
{%- endif -%}
{%- for message in rest -%}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("roles must alternate") }}
    {%- endif -%}
    {%- if (message['role'] == 'assistant') -%}{%- set role = "model" -%}{%- else -%}{%- set role = message['role'] -%}{%- endif -%}
    {{ '<turn>' + role + '\\n' + (first_prefix if loop.first else "") }}
    {%- if message['content'] is string -%}
        {{ message['content'] | trim }}
    {%- elif message['content'] is iterable -%}
        {%- for item in message['content'] -%}
            {%- if item['type'] == 'image' -%}{{ '<image>' }}{%- elif item['type'] == 'text' -%}{{ item['text'] | trim }}{%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {{ raise_exception("invalid content") }}
    {%- endif -%}
    {{ '<end>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}{{'<turn>model\\n'}}{%- endif -%}
""",
    "think": """{%- if tools %}
    {{- '<|open|>system\\n' }}
    {%- if messages[0].role == 'system' %}
        {{- messages[0].content + '\\n\\n' }}
    {%- endif %}
    {{- "# Tools\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools>\\n{\\"name\\": <name>}<|close|>\\n" }}
{%- else %}
    {%- if messages and messages[0].role == 'system' %}
        {{- '<|open|>system\\n' + messages[0].content + '<|close|>\\n' }}
    {%- endif %}
{%- endif %}
{%- set ns = namespace(multi_step=true, last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step and message.role == "user" and message.content is string and not(message.content.startswith('<r>') and message.content.endswith('</r>')) %}
        {%- set ns.multi_step = false %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if message.content is string %}{%- set content = message.content %}{%- else %}{%- set content = '' %}{%- endif %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|open|>' + message.role + '\\n' + content + '<|close|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {%- set reasoning = '' %}
        {%- if message.reasoning_content is string %}
            {%- set reasoning = message.reasoning_content %}
        {%- elif '</think>' in content %}
            {%- set reasoning = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
        {%- endif %}
        {%- if loop.index0 > ns.last or reasoning %}
            {{- '<|open|>' + message.role + '\\n<think>\\n' + reasoning.strip('\\n') + '\\n</think>\\n\\n' + content }}
        {%- else %}
            {{- '<|open|>' + message.role + '\\n' + content }}
        {%- endif %}
        {%- for call in message.tool_calls or [] %}
            {%- if (loop.first and content) or (not loop.first) %}{{- '\\n' }}{%- endif %}
            {%- if call.function %}{%- set call = call.function %}{%- endif %}
            {{- '<call>\\n{"name": "' }}
            {{- call.name }}
            {{- '", "arguments": ' }}
            {%- if call.arguments is string %}{{- call.arguments }}{%- else %}{{- call.arguments | tojson }}{%- endif %}
            {{- '}\\n</call>' }}
        {%- endfor %}
        {{- '<|close|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}{{- '<|open|>user' }}{%- endif %}
        {{- '\\n<r>\\n' ~ content ~ '\\n</r>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}{{- '<|close|>\\n' }}{%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|open|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}
{%- endif %}""",
    "headers": """{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{#- This comment goes, with the blanks around it -#}
{%- if messages and messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|header|>system<|/header|>\\n\\n" }}
{%- if tools is not none %}{{- "Environment: tools\\n" }}{%- endif %}
{{- "Today: " + date_string + "\\n\\n" }}
{%- if tools is not none %}
    {%- for t in tools %}
        {{- t | tojson(indent=4) }}
        {{- "\\n\\n" }}
    {%- endfor %}
{%- endif %}
{{- system_message }}
{{- "<|eot|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|header|>' + message['role'] + '<|/header|>\\n\\n'+ message['content'] | trim + '<|eot|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("one call at a time") }}
        {%- endif %}
        {%- set call = message.tool_calls[0].function %}
        {{- '{"name": "' + call.name + '", ' }}
        {%- for arg_name, arg_val in call.arguments | items %}
            {{- arg_name + '="' ~ arg_val ~ '"' }}
            {%- if not loop.last %}{{- ", " }}{%- endif %}
        {%- endfor %}
        {{- "}<|eot|>" }}
    {%- else %}
        {{- "<|header|>ipython<|/header|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}{{- message.content | tojson }}{%- else %}{{- message.content }}{%- endif %}
        {{- "<|eot|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|header|>assistant<|/header|>\\n\\n' }}{%- endif %}
""",
    "inst": """{%- set system_message = messages[0]["content"] if messages and messages[0]["role"] == "system" else none %}
{%- set loop_messages = messages[1:] if system_message else messages %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for message in loop_messages %}
    {%- if not (message.role == "tool" or (message.tool_calls is defined and message.tool_calls is not none)) %}
        {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}{{- raise_exception("alternate, please") }}{%- endif %}
        {%- set ns.index = ns.index + 1 %}
    {%- endif %}
{%- endfor %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == user_messages[-1]) %}
            {{- "[TOOLS][" }}
            {%- for tool in tools %}
                {%- set tool = tool.function %}
                {{- '{"type": "function", "function": {' }}
                {%- for key, val in tool.items() if key != "return" %}
                    {%- if val is string %}{{- '"' + key + '": "' + val + '"' }}{%- else %}{{- '"' + key + '": ' + val|tojson }}{%- endif %}
                    {%- if not loop.last %}{{- ", " }}{%- endif %}
                {%- endfor %}
                {{- "}}" }}
                {%- if not loop.last %}{{- ", " }}{%- else %}{{- "]" }}{%- endif %}
            {%- endfor %}
            {{- "[/TOOLS]" }}
        {%- endif %}
        {%- if loop.last and system_message is defined and system_message %}
            {{- "[INST]" + system_message + "\\n\\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST]" ~ message["content"] ~ "[/INST]" }}
        {%- endif %}
    {%- elif (message.tool_calls is defined and message.tool_calls is not none) %}
        {{- "[CALLS][" }}
        {%- for call in message.tool_calls %}
            {%- set out = call.function|tojson %}
            {{- out[:-1] }}
            {%- if not call.id is defined or call.id|length != 9 %}{{- raise_exception("ids have 9 letters") }}{%- endif %}
            {{- ', "id": "' + call.id + '"}' }}
            {%- if not loop.last %}{{- ", " }}{%- else %}{{- "]" + eos_token }}{%- endif %}
        {%- endfor %}
    {%- elif message["role"] == "assistant" %}
        {{- message["content"] + eos_token}}
    {%- elif message["role"] == "tool" %}
        {{- '[RESULTS]{"content": ' + message.content|string + "}[/RESULTS]" }}
    {%- else %}
        {{- raise_exception("unknown role " ~ message.role) }}
    {%- endif %}
{%- endfor %}
""",
    "macros": """{%- macro kind_of(spec, plain=false) -%}
  {%- if spec.enum is defined -%}{{ spec.enum | map('string') | join(' | ') }}
  {%- elif spec.type == 'object' -%}{
    {%- for name, inner in spec.properties | dictsort -%}{{ name }}{{ '' if name in spec.required else '?' }}: {{ kind_of(inner, plain=true) }}{{ ', ' if not loop.last }}{%- endfor -%}}
  {%- else -%}{{ spec['type'] if plain else spec['type'].title() }}{%- endif -%}
{%- endmacro -%}
{%- macro wrap(tag) -%}<{{ tag }}>{{ caller(tag | upper) }}</{{ tag }}>{%- endmacro -%}
{% for tool in tools or [] %}
{{ tool.function.name }}({{ kind_of(tool.function.parameters) }})
{% endfor %}
{% call(name) wrap('b') %}in {{ name }}{% endcall %}

{% for message in messages %}
{%- if message.role == 'system' %}{% continue %}{% endif %}
{% generation %}
[{{ loop.index }}/{{ loop.length }}] {{ message.role | capitalize }}: {{ message.content if message.content is string else message.content | tojson }}
{% endgeneration %}
{%- if loop.index >= 3 %}{% break %}{% endif %}
{%- else %}
nothing
{%- endfor %}
{%- set footer %}
  {{ now | default('end') }}  
{% endset %}
{{ footer | trim }}
{% filter upper %}done{% endfilter %}
{% raw %}{{ raw }}{% endraw %}

{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}
""",
}

WHITE = [
    "a\n{% if true %}\nb\n{% endif %}\nc\n", "  {% if true %}  x  {% endif %}  \n  y", "a {{- ' b ' -}} c", "{#- x -#} y {# z #}\nw",
    "a\n  {%+ if true %}b{% endif +%}\nc", "{% raw -%}  {{ x }}  {%- endraw %} z", "x\r\ny\rz\n\n", "{{ 'a' }}\n{{ 'b' }}\n",
    "\n\n{%- if true -%}\n\n a \n\n{%- endif -%}\n\n", "{% for i in [1,2] %}\n  {{ i }}\n{% endfor %}", "a{##}\nb", "{#-#}x", "{{'}}'}} {{ '{%' }}",
    "  {# c #}  \n  {{ 1 }}", "{% if true %}\n  {% if true %}\n  x\n  {% endif %}\n{% endif %}\n",
]

EXPRESSIONS = [
    # numbers
    "1 + 2 * 3 - 4", "7 // 2, -7 // 2, 7 % 3, -7 % 3, 7 / 2, 2 ** 10", "1.5 + 1, 0.1 + 0.2, 1e3, 1e16, 1e-5, 100.0, 1_000", "-2 ** 2",
    "1 < 2 < 3, 1 < 3 < 2, 1 == 1.0, true == 1, 2 > 1.5", "5 / 0", "1 + 'a'", "none + 'a'", "true + true", "3 | abs, -3 | abs, (-2.5) | abs",
    "2.5 | round, 3.14159 | round(2), 2.1 | round(0, 'ceil'), 2.9 | round(method='floor')", "'12' | int, '1.9' | int, 'x' | int, 'x' | int(7), 3.9 | int",
    "'1.5' | float, 'x' | float, 2 | float", "10 is divisibleby 5, 10 is divisibleby(3), 3 is odd, 3 is even",
    # text
    "'a' ~ 1 ~ none ~ true ~ 1.0 ~ missing", "'abc'[0], 'abc'[-1], 'abc'[1:], 'abc'[::-1], 'abc'[:-1], 'äöü'[1], 'äöü'|length", "'abc'[5], 'abc'[1:100]",
    "'ab' * 3, 3 * 'ab', 'ab' * 0", "'a' in 'cat', 'x' not in 'cat', '' in 'a'", "'Hello World'.upper(), 'ÀB'.lower(), 'hello wORLD'.title(), 'hELLO'.capitalize()",
    "\"it's\"|title, \"it's a-test (now)\"|title, \"it's\".title(), 'x'|capitalize", "'  a b  '.strip() ~ '|', 'xxaxx'.strip('x'), 'abcba'.lstrip('ab'), 'abcba'.rstrip('ab')",
    "' a  b c '.split(), 'a,b,,c'.split(','), 'a,b,c'.split(',', 1), 'a,b,c'.rsplit(',', 1), ' a b '.split(' ')", "'a b  c '.split(none, 1), ' a b c'.rsplit(none, 1)",
    "'a\\nb\\r\\nc\\n'.splitlines()", "'abc'.startswith('ab'), 'abc'.endswith(('x', 'bc')), 'abc'.startswith('')", "'aXbXc'.replace('X', '-'), 'aXbXc'.replace('X', '-', 1), 'ab'.replace('', '.')",
    "'aXb' | replace('X', 1)", "'abcabc'.find('c'), 'abcabc'.rfind('c'), 'abc'.find('z'), 'äbc'.find('b'), 'abab'.count('ab'), 'abc'.index('c')", "'abc'.index('z')",
    "', '.join(['a', 'b']), ''.join([])", "'12'.isdigit(), 'a1'.isdigit(), 'ab'.isalpha(), 'a1'.isalnum(), ' '.isspace(), ''.isdigit()", "'{} {} {{}}'.format(1, 'b'), '{0}{1}{0}'.format('a', 'b'), '{x}'.format(x=1)",
    "'prefix-x'.removeprefix('prefix-'), 'x.c'.removesuffix('.c')", "'\\n\\t\\\\\\'\\x41\\u00e9\\q'", "'a' 'b'", "'<a href=\"x\">&\\'' | e", "'a\\nb\\n\\nc' | indent, 'a\\nb' | indent(2, true), 'a\\n\\nb' | indent(2, false, true), 'a\\n' | indent",
    "'x' | upper, 'X' | lower, ' x ' | trim ~ '|', '--x--' | trim('-'), 5 | string + '6', none | string, missing | upper ~ '|'", "'abc' | list, 'abc' | first, 'abc' | last, 'abc' | reverse, 'cab' | sort",
    "'a' < 'b', 'a' < 'B', 'abc' == 'abc', 'a' != 'b', 'a' == 1", "'abc' is string, 'abc' is lower, 'abc' is upper, 'A1' is upper, '1' is lower",
    # lists, dicts
    "[1, 2] + [3], [1, [2, 'b']], (1,), (), [], (1, 2) + (3,)", "[1,2,3][1:], [1,2,3][::-1], [1,2,3][-2], [1,2,3,4][::2], [1,2,3][3:0:-1], [1,2,3][5]", "[1,2] == [1,2], [1] == (1,), 2 in [1,2], [1] in [[1]]", "[1,2].index(2), [1,1].count(1)",
    "[3,1,2] | sort, ['b','A','c'] | sort, ['b','A'] | sort(case_sensitive=true), [1,2] | sort(reverse=true)", "[1,2,3] | sum, [1,2,3] | max, [1,2,3] | min, [] | max, ['b', 'A'] | min", "[1,2,2,1] | unique | list, ['a','A'] | unique | list",
    "[1,2,3] | first, [1,2,3] | last, [] | first, [1,2] | length, [1,2] | count", "['a','b'] | join, ['a','b'] | join(', '), [1,none] | join('-'), [{'a':1},{'a':2}] | join('+', attribute='a')", "[1,2,3] | reverse | list, [[1,2],[3]] | map('length') | list, [[1,2],[3]] | map('first') | join(',')",
    "[{'a':1,'b':{'c':5}},{'a':2}] | map(attribute='a') | list, [{'b':{'c':5}}, {'b':{}}] | map(attribute='b.c', default=0) | list", "[0,1,'',none,'x'] | select | list, [0,1,''] | reject | list, [1,2,3] | select('odd') | list, [1,2,3] | reject('>', 1) | list",
    "[{'a':1},{'a':0},{}] | selectattr('a') | list, [{'a':1},{'b':2}] | selectattr('a','defined') | list, [{'a':1},{'a':2}] | rejectattr('a','equalto',1) | list, [{'a':'x'}]|selectattr('a','in',['x'])|list", "[] | selectattr('a') | list | length, none | selectattr('a') | list",
    "{'a': 1, 'b': [true, none]}", "{'a': 1}.a, {'a': 1}['a'], {'a': 1}.b is defined, {'a': 1}.get('b'), {'a': 1}.get('b', 2), {'items': 1}['items']", "{'b': 2, 'a': 1} | dictsort, {'b': 1, 'a': 2} | dictsort(by='value'), {'b':1,'A':2}|dictsort(true)", "{'a': 1}.items() | list, {'a': 1}.keys() | list, {'a': 1}.values() | list, {'a':1} | items | list",
    "'a' in {'a': 1}, 1 in {'a': 1}, {'a': 1} == {'a': 1.0}, {} | length, {'x': 1} | list", "{'a': 1}.pop('a')", "[1].append(2)", "dict(a=1, b='x'), dict({'a': 1}, b=2)", "{1: 'a', none: 'b'}[1], {true: 'x'}[1]",
    # json
    "{'a': [1, 1.0, 'é\"\\n\\u0001', none, true], 'b': {}, 'c': []} | tojson", "{'b': 1, 'a': [1, {'c': 2}], 'e': []} | tojson(indent=2)", "{'b': 1, 'a': 'é😀'} | tojson(ensure_ascii=true, sort_keys=true, separators=(',', ':'))", "missing | tojson", "[1.5, 1e100, 1e-7, 123456789.125] | tojson", "'<a>&' | tojson", "{1: 2, none: 3} | tojson", "[1,2] | tojson(indent='\\t')",
    # undefined, tests, logic
    "missing", "missing.x", "missing['x']", "missing is defined, missing is undefined, missing is none, missing | default('d'), '' | default('d'), '' | default('d', true), missing | d", "missing + 'a'", "missing == missing, missing | length, missing | list, missing | join", "not missing, missing and 1, missing or 'x'",
    "none.x is defined, none is none, none is not none, (1).x is defined", "1 is number, 1.5 is float, 1 is integer, true is integer, true is boolean, true is number, 'a' is iterable, 1 is iterable, [] is sequence, {} is mapping, {} is sequence, {} is iterable", "true is true, false is false, 1 is true, none is false", "1 is eq 1, 1 is ne 2, 1 is lt 2, 2 is gt(1), 1 is in [1], 1 is sameas 1, 1 is sameas true",
    "'a' if true else 'b', 'a' if false else 'b', 'x' if false", "true and 'x', '' or 'y', not true or false, not (true and false)", "1 if 0 else 2 if 0 else 3", "range(3) | list, range(1, 7, 2) | list, range(3, 0, -1) | list, range(0) | list", "range(200000) | list", "namespace is callable, nothing is callable", "nothing()", "[1,2] | nosuchfilter", "1 is nosuchtest", "'a'.nosuchmethod()",
    "1 if true else missing.x", "raise_exception('no: ' ~ 1)", "strftime_now('%Y-%m-%d %H:%M:%S %A %B %b %a %j %y %I %p %-d %e|%%')", "'a' | attr('upper') is callable, {'a':1} | attr('a') is defined", "(1, 2) | tojson, ('a', 'b') | join", "\"a'b\", ['a\\'b', 'c\"d', 'e\\n\\\\f', 'é\\u200b\\x01']", "[1.0, -0.0, 1e22, 1.5e-7, 123456789012345680.0]",
]

STATEMENTS = [
    "{% set x = 1 %}{% for i in [1,2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}", "{% set ns = namespace(x=1) %}{% for i in [1,2] %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}{{ ns.y is defined }}",
    "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }}{{ ',' if not loop.last }}{% endfor %}", "{% for x in [] %}a{% else %}none{% endfor %}", "{% for i in range(5) if i is odd %}{{ loop.index }}:{{ i }}/{{ loop.length }} {% endfor %}",
    "{% for i in 'abc' %}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.previtem }}{{ loop.nextitem }} {% endfor %}", "{% for i in [1,1,2] %}{{ loop.changed(i) }}{{ loop.cycle('a','b') }}{% endfor %}", "{% for i in [1,2,3] %}{% if i == 2 %}{% continue %}{% endif %}{{ i }}{% if i == 3 %}{% break %}{% endif %}{% endfor %}",
    "{% for i in [1,2] %}{% for j in [1,2] %}{{ loop.depth }}{% if j == 1 %}{% break %}{% endif %}{% endfor %}{{ i }}{% endfor %}", "{% set a, b = 1, 'x' %}{{ a }}{{ b }}{% set (c, d) = [3, 4] %}{{ c + d }}", "{% set a, b = [1] %}", "{% set x %}in {{ 1 }}{% endset %}[{{ x }}]", "{% set x | upper | replace('N', '') %}in{% endset %}[{{ x }}]",
    "{% macro m(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }};{% endmacro %}{{ m(1) }}{{ m(1, c=5) }}{{ m(b=3, a=4) }}{{ m() }}", "{% macro f(n) %}{% if n > 0 %}{{ n }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}", "{% set x = 'g' %}{% macro m() %}{{ x }}{% set x = 'l' %}{{ x }}{% endmacro %}{{ m() }}{{ x }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}",
    "{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}x{% endcall %}", "{% macro m(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ m(*[1, 2]) }}", "{% if false %}a{% elif 0 %}b{% elif 'x' %}c{% else %}d{% endif %}", "{% if false %}a{% else %}{% if true %}b{% endif %}c{% endif %}", "{% with x = 5 %}{{ x }}{% endwith %}{{ x }}",
    "{% for x in 5 %}{% endfor %}", "{% for x in none %}{% endfor %}", "{% set x.y = 1 %}", "{% if %}", "{% endif %}", "{% for x in [1] %}", "{{ 1 + }}", "{{ (1 }}", "{{ 'a }}", "{% nosuch %}", "{{ 1 2 }}", "{{ a b }}", "{% break %}", "{{ f(a=1, 2) }}", "{% generation %}g{% endgeneration %}", "{% for i in range(3) %}{{ i }}{% endfor %}{{ i is defined }}",
    "{{ messages }}", "{{ [1, 'a', none, true, {'b': 1.5}] }}", "{% set messages = messages + [{'role': 'x'}] %}{{ messages | length }}", "{{ {'a': {'b': [10, 20]}}.a.b.1 }}", "{{ [[1, 2], [3]] | map('join', '-') | list }}", "{{ ['  a ', 'b'] | map('trim') | join('|') }}", "{{- 'x' if messages[0].role == 'user' and messages[-1]['role'] != 'system' -}}",
]


def render(template, values):
    try:
        return {"out": chat_template_utils._cached_compile_jinja_template(template).render(**values)}
    except Exception:
        return {"error": True}


def cases():
    for template in MODELS.values():
        for i, chat in enumerate(CHATS):
            values = dict(messages=chat, add_generation_prompt=i != 4, bos_token="<s>", eos_token="</s>",
                          tools=TOOLS if i in (2, 5) else None)
            if i == 1:
                values["enable_thinking"] = False
            yield template, values
    for template in WHITE + STATEMENTS:
        yield template, {"messages": CHATS[0]}
    for expression in EXPRESSIONS:
        yield "{{ " + expression + " }}", {}


def main():
    if "--seeds" in sys.argv:
        folder = pathlib.Path(sys.argv[-1])
        folder.mkdir(parents=True, exist_ok=True)
        for i, template in enumerate(list(MODELS.values()) + WHITE[:4] + STATEMENTS[::4]):
            folder.joinpath(f"seed{i:02}").write_text(template)
        return
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "tests/golden/template")
    folder.mkdir(parents=True, exist_ok=True)
    lines, last = [], None
    for template, values in cases():
        line = {"template": template} if template != last else {}
        lines.append(json.dumps({**line, "globals": values, **render(template, values)}, ensure_ascii=False))
        last = template
    folder.joinpath("cases.jsonl").write_text("\n".join(lines) + "\n")
    print(len(lines), "cases", sum(map(len, lines)), "bytes")


main()
