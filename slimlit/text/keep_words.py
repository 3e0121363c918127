"""Words that stay although a stop-word list holds them: they carry negation, quantity, contrast or sentiment."""

NEGATION_EN = """
ain't aint aren aren't arent barely can't cannot cant couldn couldn't couldnt daren't darent didn didn't didnt doesn
doesn't doesnt don don't dont hadn hadn't hadnt hardly hasn hasn't hasnt haven haven't havent isn isn't isnt lest
mayn't maynt mightn't mightnt minus mustn't mustnt n't nay needn't neednt neither never neverf neverless no no-one
nobody non none noone nor not nothing nowhere null oughtn't oughtnt rarely scarcely shan't shant shouldn shouldn't
shouldnt t unlikely wasn wasn't wasnt weren weren't werent without won won't wont wouldn wouldn't wouldnt zero
"""
QUANTITY_EN = """
10 39 all almost always any approximately badly best better big bigger biggest billion both completely definitely
double each eight eighty either eleven else enough entirely especially even ever every everybody everyone everything
exactly extremely fairly far farther few fewer fewest fifteen fifty five forty four full fully further furthermore
half high higher highest hundred indeed just large largely largest least less little long longer longest lot lots low
lower many million more moreover most mostly much nearly nine ninety often once one only over overall part
particularly partly plenty quite rather really seven seventy several six sixty slightly small smaller smallest so some
somewhat still strongly substantially such sufficiently ten than third thirty thorough thoroughly thousand three too
top totally trillion truly twelve twenty twice two under usually various very whole wide widely
"""
CONTRAST_EN = """
against although but despite different except however instead nevertheless nonetheless notwithstanding opposite
otherwise though unless whereas while whilst yet
"""
SENTIMENT_EN = """
able alone appreciate awful awfully bad certain certainly clear clearly cry dear doubtful dull empty excellent fail
failed felt fine free good great greater greatest hell hopefully ignored importance important interest interested
interesting interests like liked love miss new nice novel ok okay old please poor poorly problem problems promptly
proud reasonably regardless right sensible serious seriously significant significantly sincere sorry successfully sure
thank thanks thanx unfortunately unlike useful usefully usefulness value welcome well willing wish wonder worse worst
worth
"""
NEGATION_ZH = """
不 不仅 不但 不光 不单 不只 不如 不妨 不尽 不得 不怕 不成 不是 不比 不然 不特 不论 不过 不至于 没 没有 没奈何 无 无论 非 非但 别 别说 莫 未 勿 毋 未必 不外乎 不尽然
不惟 不拘 不料 不独 不管 不若 不问 且不说 先不先 要不 要不然 莫不然 莫如 莫若 无宁 毋宁 非徒 非特 非独 没什么 否则 与否 能否 难道说 并非 从不 从未 毫无 不能 不会 不行
不可 不要 要不是 若非 除非 反而 却 但 但是 可是 然而 虽 虽则 虽然 虽说 尽管 尽管如此 只是 而 而是 固然 反之 反过来 反过来说 恰恰相反 相对而言 即使 即便 哪怕 纵然 宁 宁可
宁愿 宁肯 何况 况且 尚且 而况 慢说 漫说 岂但 别管 任凭 就算 即令 即或 即若 纵令 纵使
"""
QUANTITY_ZH = """
一 一些 一样 七 万一 三 两者 个 九 二 五 些 光 全体 全部 八 六 几 十 只 只有 多 多么 多少 大 小 尽 很 所有 才 每 更 最 有些 极了 极 甚至 许多 太 非常 特别 十分
挺 较 比较 越 都 点 各 半 四 零 够 再 仅 几乎 完全 一个 一切 一何 一般 凡 凡是 个别 各个 各种 每当 某些 只当 只怕 只消 只要 只限 光是 唯有 惟其 这么 那么 这么些
那么些 这么点儿 如此 越是 甚且 甚或 甚而 甚至于 还 还是 贼死 ０ １ ２ ３ ４ ５ ６ ７ ８ ９
"""
SENTIMENT_ZH = """
好 对 得 行 是的 的确 果然 果真 当然 罢了 所幸 可惜 幸好 竟而 竟然 居然 差 坏 烂 棒 赞 哈哈 哎 唉 呸 呵呵 嘿嘿 喜欢 能 会 要 想 可以 怎么样 哇 哈 哼 嘻 嘿 呕 呜
呜呼 哎呀 哎哟 啊 吓 嘘 也好 也罢 省得 诚然
"""

KEEP: dict[str, frozenset[str]] = {
    "en": frozenset(" ".join((NEGATION_EN, QUANTITY_EN, CONTRAST_EN, SENTIMENT_EN)).split()),
    "zh": frozenset(" ".join((NEGATION_ZH, QUANTITY_ZH, SENTIMENT_ZH)).split()),
}
