"""Words that stay although a stop-word list holds them: they carry negation, quantity, contrast or sentiment."""

NEGATION_EN = """
ain't aint aren't arent can't cannot cant couldn't couldnt daren't darent didn't didnt doesn't doesnt don't dont hadn't hadnt
hardly hasn't hasnt haven't havent isn't isnt lest mayn't maynt mightn't mightnt mustn't mustnt needn't neednt neither
never neverf neverless no no-one nobody non none noone nor not nothing nowhere oughtn't oughtnt shan't shant shouldn't shouldnt
t unlikely wasn't wasnt weren't werent without won't wont wouldn't wouldnt nay null zero minus n't rarely barely scarcely
aren couldn didn doesn don hadn hasn haven isn shouldn wasn weren won wouldn
"""
QUANTITY_EN = """
all almost any approximately badly best better big bigger biggest both completely double each either enough entirely every
everybody everyone everything extremely fairly few fewer fewest five four full fully half high higher highest hundred large
largely largest least less lot lots low lower many million more moreover most mostly much nearly nine once one only over part
partly plenty quite rather really several seven six slightly small smaller smallest some somewhat strongly substantially
sufficiently ten thousand three too top totally truly twice two under various very eight half highly billion trillion
"""
CONTRAST_EN = (
    "although but despite however instead nevertheless nonetheless notwithstanding though unless yet except against"
)
SENTIMENT_EN = """
appreciate awful awfully bad badly best better certain certainly clear clearly cry dear doubtful empty excellent fine good great
greater greatest hell hopefully ignored importance important interest interested interesting interests like liked love miss nice
novel okay ok poor poorly problem problems promptly proud reasonably regardless right seriously serious significant
significantly sincere sorry successfully thank thanks thanx unfortunately useful usefulness usefully value well welcome willing
wish wonder worst worse worth sensible unlike alone dull
"""
NEGATION_ZH = """
不 不仅 不但 不光 不单 不只 不如 不妨 不尽 不得 不怕 不成 不是 不比 不然 不特 不论 不过 不至于 没 没有 没奈何 无 无论 非 非但 别 别说 莫 未 勿 毋
未必 否则 与否 能否 难道说 并非 从不 从未 毫无 不能 不会 不行 不可 不要 要不是 若非 除非 反而 却 但 但是 可是 然而 虽然 尽管 只是
"""
QUANTITY_ZH = """
一 一些 一样 七 万一 三 两者 个 九 二 五 些 光 全体 全部 八 六 几 十 只 只有 多 多么 多少 大 小 尽 很 所有 才 每 更 最 有些 极了 极 甚至 许多 太
非常 特别 十分 挺 较 比较 越 都 点 各 半 四 零 够 再 仅 几乎 完全
"""
SENTIMENT_ZH = "好 对 得 行 是的 的确 果然 果真 当然 罢了 所幸 可惜 幸好 竟而 竟然 居然 差 坏 烂 棒 赞 哈哈 哎 唉 呸 呵呵 嘿嘿 喜欢 能 会 要 想"

KEEP: dict[str, frozenset[str]] = {
    "en": frozenset(" ".join((NEGATION_EN, QUANTITY_EN, CONTRAST_EN, SENTIMENT_EN)).split()),
    "zh": frozenset(" ".join((NEGATION_ZH, QUANTITY_ZH, SENTIMENT_ZH)).split()),
}
