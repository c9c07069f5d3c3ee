"""Which events go where, and how they are changed on the way."""

from gateway.routing.changes import Wrong
from gateway.routing.entries import RuleEntry
from gateway.routing.router import Router
from gateway.routing.rules import Rule, Send, compile_rule, names_of, rules_of

__all__ = ["Router", "Rule", "RuleEntry", "Send", "Wrong", "compile_rule", "names_of", "rules_of"]
